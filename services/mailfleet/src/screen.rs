//! The terminal as a whole screen, and back to what it was on every way out.
//!
//! What is drawn lies on the alternate screen, so that the person's own lines are there again
//! afterwards. Keys are not echoed meanwhile; Ctrl-C stays a signal.

use std::io::{self, IsTerminal as _, Read as _, Write as _};
use std::panic;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, Once, PoisonError};
use std::thread;

use nix::sys::termios::{
    LocalFlags, SetArg, SpecialCharacterIndices as Special, Termios, tcgetattr, tcsetattr,
};
use tokio_util::sync::CancellationToken;

/// The alternate screen, without cursor, and without lines that go on in the next one.
const ENTER: &str = "\x1b[?1049h\x1b[?25l\x1b[?7l";
/// The opposite.
const LEAVE: &str = "\x1b[?7h\x1b[?25h\x1b[?1049l";
/// Home; a line is empty; it and all below it are. Before what is written: behind a line as wide as
/// the screen the cursor stands on its last character, which would go too.
const HOME: &str = "\x1b[H";
const LINE: &str = "\x1b[K";
const BELOW: &str = "\x1b[J";
/// Tenths of a second that the reader of keys waits before it looks whether it is over.
const KEYS: u8 = 2;
/// No key stands for it: Ctrl-Z would leave a stopped program's screen behind.
const NO_KEY: u8 = 0;

/// Whether the screen is taken, and how the keyboard was before.
static TAKEN: AtomicBool = AtomicBool::new(false);
static BEFORE: Mutex<Option<Termios>> = Mutex::new(None);
static HOOK: Once = Once::new();

/// The screen; dropping it gives it back.
#[derive(Debug)]
pub(crate) struct Screen(());

/// Whether pictures can be drawn over each other on standard output.
pub(crate) fn is_there() -> bool {
    let is_dumb = std::env::var_os("TERM").is_none_or(|term| term.is_empty() || term == "dumb");
    io::stdout().is_terminal() && !is_dumb
}

impl Screen {
    /// Takes the screen. The token is cancelled when somebody presses q.
    ///
    /// # Errors
    /// If the terminal cannot be written to.
    pub(crate) fn take(quit: CancellationToken) -> io::Result<Self> {
        // A panic's message belongs to the person's own screen.
        HOOK.call_once(|| {
            let before = panic::take_hook();
            panic::set_hook(Box::new(move |panic| {
                give_back();
                before(panic);
            }));
        });
        TAKEN.store(true, Ordering::SeqCst);
        let screen = Self(());
        if let Ok(keyboard) = tcgetattr(io::stdin()) {
            let mut quiet = keyboard.clone();
            quiet.local_flags.remove(LocalFlags::ECHO | LocalFlags::ICANON);
            for (which, value) in
                [(Special::VMIN, 0), (Special::VTIME, KEYS), (Special::VSUSP, NO_KEY)]
            {
                if let Some(place) = quiet.control_chars.get_mut(which as usize) {
                    *place = value;
                }
            }
            *BEFORE.lock().unwrap_or_else(PoisonError::into_inner) = Some(keyboard);
            if tcsetattr(io::stdin(), SetArg::TCSANOW, &quiet).is_ok() {
                thread::spawn(move || read_keys(&quit));
            }
        }
        write(ENTER)?;
        Ok(screen)
    }

    /// Puts a picture in the place of the one before. Its lines are no longer and no more than
    /// the screen has.
    ///
    /// # Errors
    /// If the terminal cannot be written to.
    pub(crate) fn draw(&self, picture: &str) -> io::Result<()> {
        let has_colours =
            anstream::AutoStream::choice(&io::stdout()) != anstream::ColorChoice::Never;
        let plain = || anstream::adapter::strip_str(picture).to_string();
        let picture = if has_colours { picture.to_owned() } else { plain() };
        write(&frame(&picture))
    }
}

/// What puts a picture in the place of the one before.
fn frame(picture: &str) -> String {
    let mut lines: Vec<&str> = picture.lines().collect();
    let last = lines.pop().unwrap_or_default();
    let above: String = lines.iter().map(|line| format!("{LINE}{line}\r\n")).collect();
    format!("{HOME}{above}{BELOW}{last}")
}

impl Drop for Screen {
    fn drop(&mut self) {
        give_back();
    }
}

/// Gives the screen back if it is taken: for ways out that drop nothing.
pub(crate) fn give_back() {
    if TAKEN.swap(false, Ordering::SeqCst) {
        // A terminal that is gone needs nothing.
        let _ = write(LEAVE);
        let before = BEFORE.lock().unwrap_or_else(PoisonError::into_inner).take();
        let _ = before.map(|before| tcsetattr(io::stdin(), SetArg::TCSANOW, &before));
    }
}

fn write(text: &str) -> io::Result<()> {
    let mut output = io::stdout().lock();
    output.write_all(text.as_bytes())?;
    output.flush()
}

/// Ends with the screen, or at q.
fn read_keys(quit: &CancellationToken) {
    let mut key = [0];
    while TAKEN.load(Ordering::SeqCst) {
        match io::stdin().read(&mut key) {
            Ok(0) => {}
            Ok(_) if key.eq_ignore_ascii_case(b"q") => return quit.cancel(),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_erased_behind_what_was_written() {
        assert_eq!(frame("ab\nc\n"), "\x1b[H\x1b[Kab\r\n\x1b[Jc");
        assert_eq!(frame(""), "\x1b[H\x1b[J");
    }
}
