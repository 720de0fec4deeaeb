//! What the page knows and how it changes. Pure: it calls the planner and nothing of the browser.

use std::rc::Rc;

use yew::{AttrValue, Reducible};

use crate::examples::EXAMPLES;
use crate::planner::{self, Look, Side};

/// What is shown below the verdict.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Tab {
    Picture,
    Table,
    Configuration,
}

impl Tab {
    /// In the order of the page, each with its name.
    pub(crate) const ALL: [(Self, &'static str); 3] =
        [(Self::Picture, "Map"), (Self::Table, "Table"), (Self::Configuration, "Configuration")];
}

/// Everything that the page knows.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct State {
    /// Index into [`EXAMPLES`], until a text is edited.
    pub(crate) example: Option<usize>,
    pub(crate) host: AttrValue,
    pub(crate) guest: AttrValue,
    /// What the planner says of the two texts.
    pub(crate) look: Rc<Look>,
    pub(crate) tab: Tab,
    /// Number of the band that is explained.
    pub(crate) selected: Option<usize>,
    /// What stands in the address box.
    pub(crate) search: AttrValue,
    /// What became of the last thing that the reader did, if it needs saying.
    pub(crate) notice: Option<AttrValue>,
}

/// What a reader can do.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Action {
    /// Choose an example.
    Choose(usize),
    /// Write.
    Edit(Side, AttrValue),
    /// Open a file: its name and bytes.
    Open(String, Vec<u8>),
    /// Turn to a tab.
    Show(Tab),
    /// Point at a band, or at none.
    Select(Option<usize>),
    /// Write into the address box.
    Search(AttrValue),
    /// Take note of something.
    Notice(AttrValue),
}

impl State {
    /// The page with an example.
    pub(crate) fn with_example(index: usize) -> Self {
        let (host, guest) = EXAMPLES.get(index).map_or(("", ""), |example| (example.host, example.guest));
        Self {
            example: Some(index),
            host: host.into(),
            guest: guest.into(),
            look: Rc::new(planner::look(host, guest)),
            tab: Tab::Picture,
            selected: None,
            search: "".into(),
            notice: None,
        }
    }

    /// The same page with other texts.
    fn with_texts(&self, host: AttrValue, guest: AttrValue) -> Self {
        let look = Rc::new(planner::look(&host, &guest));
        Self { example: None, host, guest, look, selected: None, notice: None, ..self.clone() }
    }

    fn edited(&self, side: Side, text: AttrValue) -> Self {
        match side {
            Side::Host => self.with_texts(text, self.guest.clone()),
            Side::Guest => self.with_texts(self.host.clone(), text),
        }
    }

    fn opened(&self, name: &str, bytes: &[u8]) -> Self {
        match planner::describe(name, bytes) {
            Ok(text) if name.ends_with(".guest") => self.edited(Side::Guest, text.into()),
            Ok(text) => self.edited(Side::Host, text.into()),
            Err(why) => Self { notice: Some(why.into()), ..self.clone() },
        }
    }

    /// The page after an action.
    pub(crate) fn after(&self, action: Action) -> Self {
        match action {
            Action::Choose(index) => Self { tab: self.tab, ..Self::with_example(index) },
            Action::Edit(side, text) => self.edited(side, text),
            Action::Open(name, bytes) => self.opened(&name, &bytes),
            Action::Show(tab) => Self { tab, ..self.clone() },
            Action::Select(selected) => Self { selected, ..self.clone() },
            Action::Search(search) => Self { search, ..self.clone() },
            Action::Notice(notice) => Self { notice: Some(notice), ..self.clone() },
        }
    }
}

impl Reducible for State {
    type Action = Action;

    fn reduce(self: Rc<Self>, action: Action) -> Rc<Self> {
        let next = self.after(action);
        if next == *self { self } else { Rc::new(next) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn editing_leaves_the_example_and_its_selection() {
        let page = State::with_example(0).after(Action::Select(Some(2))).after(Action::Show(Tab::Table));
        let edited = page.after(Action::Edit(Side::Guest, "guest g {".into()));
        assert_eq!((edited.example, edited.selected, edited.tab), (None, None, Tab::Table));
        assert_eq!(edited.host, page.host);
        assert_eq!(edited.look.verdict, planner::Verdict::Unreadable);
        let back = edited.after(Action::Edit(Side::Guest, page.guest.clone()));
        assert_eq!(back.look, page.look);
    }

    #[test]
    fn what_changes_nothing_keeps_the_page() {
        let page = Rc::new(State::with_example(0));
        let same = Rc::clone(&page).reduce(Action::Show(Tab::Picture));
        assert!(Rc::ptr_eq(&page, &same));
    }

    #[test]
    fn a_file_goes_where_its_name_says() {
        let page = State::with_example(0);
        let guest = page.after(Action::Open("x.guest".into(), b"guest g { }".to_vec()));
        assert_eq!((&*guest.guest, &guest.host), ("guest g { }", &page.host));
        let host = page.after(Action::Open("x.host".into(), b"host h { }".to_vec()));
        assert_eq!((&*host.host, &host.guest), ("host h { }", &page.guest));
        let neither = page.after(Action::Open("x".into(), vec![0xff]));
        assert_eq!(neither.host, page.host);
        assert!(neither.notice.is_some());
    }
}
