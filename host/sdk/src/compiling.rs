//! What is told when the component is compiled, which takes a while.

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// The component is compiled, since no code of it is kept that can be taken. Its text is for people.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Compiling<'a> {
    /// It begins. It takes some seconds of all processors.
    Begins {
        /// Where the code will be kept, or why it will not be: then every start compiles.
        place: Result<&'a Path, &'a str>,
    },
    /// It has ended.
    Ended {
        /// How long it took.
        elapsed: Duration,
        /// Where the code is kept, or why it is not.
        place: Result<&'a Path, &'a str>,
    },
}

/// Who is told.
pub(crate) type Told = Arc<dyn Fn(&Compiling<'_>) + Send + Sync>;

impl fmt::Display for Compiling<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Begins { place: Ok(folder) } => write!(
                f,
                "compiling the component, which takes some seconds: the next start takes the code from `{}`",
                folder.display()
            ),
            Self::Begins { place: Err(why) } => write!(
                f,
                "compiling the component, which takes some seconds at every start, since the code is not kept: {why}. \
                 `CEDARGATE_CACHE_DIR` names another folder for it"
            ),
            Self::Ended { elapsed, place: Ok(folder) } => write!(
                f,
                "compiled the component in {:.1} s; the code is kept in `{}`",
                elapsed.as_secs_f64(),
                folder.display()
            ),
            Self::Ended { elapsed, place: Err(why) } => {
                write!(f, "compiled the component in {:.1} s; the code is not kept: {why}", elapsed.as_secs_f64())
            }
        }
    }
}
