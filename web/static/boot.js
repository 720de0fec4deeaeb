// Starts the planner. It fetches its own WebAssembly, and then forbids the page every further connection: from here
// on nothing can leave it.
import init from "./app.js";

const shut = () => {
  const policy = document.createElement("meta");
  policy.httpEquiv = "Content-Security-Policy";
  policy.content = "connect-src 'none'";
  document.head.append(policy);
};

const compiled = WebAssembly.compileStreaming(fetch(new URL("app_bg.wasm", import.meta.url)));
compiled
  .then((module) => {
    shut();
    return init({ module_or_path: module });
  })
  .catch((why) => {
    document.getElementById("app").textContent = `The planner could not start: ${why}`;
  });
