"C:\Program Files\qemu\qemu-system-aarch64.exe" ^
-M virt,virtualization=true ^
-accel tcg,thread=multi ^
-cpu cortex-a57 ^
-smp 2 ^
-m 4G ^
-bios "C:\Program Files\qemu\share\edk2-aarch64-code.fd" ^
-device ramfb
