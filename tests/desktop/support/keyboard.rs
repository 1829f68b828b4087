//! The window by keyboard alone, and what a person sees of it.

use fantoccini::{
    Locator,
    actions::{InputSource, KeyAction, KeyActions},
    key::Key,
};

use super::{eventually, window::Window};

/// More stops than any page has; what Tab does not reach by then it does not reach.
const STOPS: usize = 120;

impl Window {
    /// Presses one named key.
    pub async fn press(&self, key: Key) {
        self.keys(&char::from(key).to_string()).await;
    }

    /// Presses a letter while a modifier is held.
    pub async fn chord(&self, modifier: Key, letter: char) {
        let held = char::from(modifier);
        let keys = KeyActions::new("keyboard".to_owned())
            .then(KeyAction::Down { value: held })
            .then(KeyAction::Down { value: letter })
            .then(KeyAction::Up { value: letter })
            .then(KeyAction::Up { value: held });
        self.client.perform_actions(keys).await.expect("keys pressed together");
    }

    /// The name of what has the focus, as a screen reader would say it; empty when it is nothing.
    pub async fn focused(&self) -> String {
        let name = "const e = document.activeElement;
            return !e || e === document.body ? '' : (e.getAttribute('aria-label') || e.innerText || '').trim()";
        let name = self.client.execute(name, vec![]).await.unwrap_or_default();
        name.as_str().unwrap_or_default().to_owned()
    }

    /// Presses Tab until the focus is on the control of this name.
    pub async fn tab_to(&self, name: &str) {
        let mut passed = Vec::new();
        for _ in 0..STOPS {
            let focused = self.focused().await;
            if focused == name {
                return;
            }
            passed.push(focused);
            self.press(Key::Tab).await;
        }
        panic!("Tab does not reach `{name}`, only {passed:?}");
    }

    /// Takes the focus out of what uses keys itself, as a click on the empty page does.
    pub async fn leave_control(&self) {
        self.client.execute("document.activeElement?.blur()", vec![]).await.expect("the page answers");
    }

    /// Waits until the page's headline is this.
    pub async fn heading(&self, name: &str) {
        eventually(&format!("the headline `{name}`"), async || {
            (self.client.find(Locator::Css("h1")).await.ok()?.prop("textContent").await.ok()??.trim() == name)
                .then_some(())
        })
        .await;
    }

    /// Waits for the element and reads it. Not by the driver's own reading, for which a clamped title is not shown.
    pub async fn text_of(&self, css: &str) -> String {
        eventually(css, async || {
            let text = self.client.find(Locator::Css(css)).await.ok()?.prop("innerText").await.ok()??;
            (!text.trim().is_empty()).then(|| text.trim().to_owned())
        })
        .await
    }

    /// Waits until nothing fits the selector any more.
    pub async fn gone(&self, css: &str) {
        eventually(&format!("`{css}` to go"), async || {
            self.client.find_all(Locator::Css(css)).await.ok()?.is_empty().then_some(())
        })
        .await;
    }

    /// Gives the page this size, and waits until it has it.
    pub async fn resize(&self, width: u32, height: u32) {
        let wanted = (u64::from(width), u64::from(height));
        if self.size().await != wanted {
            self.client.set_window_size(width, height).await.expect("a new size");
            eventually("the new size", async || (self.size().await == wanted).then_some(())).await;
        }
    }

    /// What reaches out of the window to the right, where nobody can scroll to it.
    pub async fn overflow(&self) -> Vec<String> {
        let wide = "return [...document.querySelectorAll('body *')].filter((e) => {
              const r = e.getBoundingClientRect();
              if (r.width === 0 || r.right <= innerWidth + 1 || e.closest('svg, .vh, pre')) return false;
              for (let p = e.parentElement; p; p = p.parentElement) {
                const over = getComputedStyle(p).overflowX;
                if (over !== 'visible' && p !== document.body && p !== document.documentElement) return false;
              }
              return true;
            }).slice(0, 3).map((e) => e.outerHTML.slice(0, 120))";
        let found = self.client.execute(wide, vec![]).await.expect("the page answers");
        serde_json::from_value(found).expect("a list of texts")
    }

    /// Plays a bundled drill at this speed; the page is loaded anew.
    pub async fn start_drill(&self, name: &str, speed: u32) {
        let call = format!("window.__TAURI_INTERNALS__.invoke('start_drill', {{name: {name:?}, speed: {speed}}})");
        self.client.execute(&call, vec![]).await.expect("the page answers");
        self.reads("Nothing of it is kept.").await;
    }
}
