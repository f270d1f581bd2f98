//! Folders and files in whose place nobody else can put others.
//!
//! Code that is run, tokens, and records of requests are worth what the place is worth that they are kept in. Each
//! part of a path is opened by itself and asked, on its open handle, who owns it and who may write: it belongs to this
//! user or to root, and others may write into it only where its sticky bit keeps them from replacing what is not
//! theirs, as in `/tmp`. Then the next part must be this user's or root's, too. A link on the way is followed where it
//! is; a file is never reached through a link or by one of several names. What is made is for this user alone, whatever
//! the umask says.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::fs::{
    AtFlags, FileType, Mode, OFlags, Stat, fstat, fsync, linkat, mkdirat, open, openat, readlinkat, renameat, statat,
    unlinkat,
};
use rustix::io::Errno;
use rustix::process::geteuid;

/// Permission of group and others to write.
const WRITABLE_BY_OTHERS: u32 = 0o022;

/// Any permission of group and others.
const OPEN_TO_OTHERS: u32 = 0o077;

/// Keeps those who may write into a folder from replacing what is not theirs.
const STICKY: u32 = 0o1000;

/// Links on the way to a folder: as many as the system itself follows.
const LINKS_MAX: usize = 40;

/// Why a folder or a file is not used. The text says how to mend it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Distrust {
    /// The system does not let it be used.
    #[error("`{}`: {cause}", path.display())]
    System {
        /// What was to be used.
        path: PathBuf,
        /// What the system said.
        cause: io::Error,
    },
    /// Somebody else may do with it what he wants.
    #[error("`{}` belongs to another user (user id {owner}): name a place of your own", path.display())]
    Owner {
        /// The folder or file.
        path: PathBuf,
        /// Whom it belongs to.
        owner: u32,
    },
    /// Others may replace what lies in a folder.
    #[error(
        "others may write into `{0}` and replace what lies there: `chmod go-w {0}`, or name another place",
        path.display()
    )]
    Writable {
        /// The folder.
        path: PathBuf,
    },
    /// A folder is everybody's, and one's own is asked for.
    #[error("others may put files into `{}`: name a folder of your own in it", path.display())]
    Shared {
        /// The folder.
        path: PathBuf,
    },
    /// Others may use a file: write to it, or read it where it is private.
    #[error("others may read or write `{0}`: `chmod 600 {0}`", path.display())]
    Open {
        /// The file.
        path: PathBuf,
    },
    /// A link stands where a file or a folder of one's own should.
    #[error("`{}` is a link, and may lead anywhere: name what it leads to, or remove it", path.display())]
    Link {
        /// The link.
        path: PathBuf,
    },
    /// Something else than a file.
    #[error("`{}` is not a regular file", path.display())]
    Kind {
        /// What it is.
        path: PathBuf,
    },
    /// A file has a second name, by which it could be reached elsewhere.
    #[error("`{}` has several names (hard links): copy it to a file of its own", path.display())]
    Names {
        /// The file.
        path: PathBuf,
    },
    /// A file holds more than is read.
    #[error("`{}` is larger than {limit} bytes", path.display())]
    Size {
        /// The file.
        path: PathBuf,
        /// The limit in bytes.
        limit: u64,
    },
}

impl Distrust {
    fn system(path: impl Into<PathBuf>) -> impl FnOnce(Errno) -> Self {
        let path = path.into();
        move |cause| Self::System { path, cause: cause.into() }
    }

    /// What the system said, where it said something.
    #[must_use]
    pub fn cause(&self) -> Option<&io::Error> {
        match self {
            Self::System { cause, .. } => Some(cause),
            Self::Owner { .. }
            | Self::Writable { .. }
            | Self::Shared { .. }
            | Self::Open { .. }
            | Self::Link { .. }
            | Self::Kind { .. }
            | Self::Names { .. }
            | Self::Size { .. } => None,
        }
    }
}

/// Who may read a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readers {
    /// Whoever its owner lets.
    Any,
    /// Its owner alone.
    Owner,
}

/// A file that was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    /// The number of its device.
    pub device: u64,
    /// Its number there, by which it is told from another that takes its place.
    pub inode: u64,
    /// How much it held.
    pub bytes: u64,
}

/// An open folder whose every parent can be trusted.
#[derive(Debug)]
pub struct Folder {
    handle: OwnedFd,
    /// Where it is, after all links.
    path: PathBuf,
    /// As it was named.
    named: PathBuf,
    /// Whether others may make files in it.
    is_shared: bool,
}

impl Folder {
    /// Opens a folder that is there.
    ///
    /// # Errors
    ///
    /// [`Distrust`] where it or a parent cannot be trusted.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, Distrust> {
        Walk::to(path.as_ref(), false)
    }

    /// Opens a folder, and makes what is missing of it for this user alone.
    ///
    /// # Errors
    ///
    /// [`Distrust`] where it or a parent cannot be trusted or made.
    pub fn make(path: impl AsRef<Path>) -> Result<Self, Distrust> {
        Walk::to(path.as_ref(), true)
    }

    /// The same folder, where nobody else may make files in it, sticky or not: for files that others open by name.
    ///
    /// # Errors
    ///
    /// [`Distrust::Shared`].
    pub fn own(self) -> Result<Self, Distrust> {
        if self.is_shared { Err(Distrust::Shared { path: self.named }) } else { Ok(self) }
    }

    /// Where it is, without links.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A folder of one's own in this one, made where it is not there. No link leads to it.
    ///
    /// # Errors
    ///
    /// [`Distrust`].
    pub fn folder(&self, name: &OsStr) -> Result<Self, Distrust> {
        let (path, named) = (self.path.join(name), self.at(name)?);
        match mkdirat(&self.handle, name, Mode::RWXU) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(error) => return Err(Distrust::system(named)(error)),
        }
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let handle = openat(&self.handle, name, flags, Mode::empty()).map_err(|error| self.not_opened(name, error))?;
        let stat = fstat(&handle).map_err(Distrust::system(&named))?;
        Self { handle, is_shared: check_folder(&stat, &named)?, path, named }.own()
    }

    /// Reads a file wholly into memory of this process; `None` where there is none.
    ///
    /// # Errors
    ///
    /// [`Distrust`] where others may write to it.
    pub fn read(&self, name: &OsStr, bytes_max: u64) -> Result<Option<Vec<u8>>, Distrust> {
        let path = self.at(name)?;
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let handle = match openat(&self.handle, name, flags, Mode::empty()) {
            Ok(handle) => handle,
            Err(Errno::NOENT) => return Ok(None),
            Err(error) => return Err(self.not_opened(name, error)),
        };
        check_opened(&handle, &path, Readers::Any)?;
        let mut bytes = Vec::new();
        let read = File::from(handle).take(bytes_max.saturating_add(1)).read_to_end(&mut bytes);
        let read = read.map_err(|cause| Distrust::System { path: path.clone(), cause })?;
        if u64::try_from(read).unwrap_or(u64::MAX) > bytes_max {
            return Err(Distrust::Size { path, limit: bytes_max });
        }
        Ok(Some(bytes))
    }

    /// Opens a file of its owner's alone to append to, and makes it where it is not there.
    ///
    /// # Errors
    ///
    /// [`Distrust`] where others may read it or write to it, or it is no file of one's own.
    pub fn append(&self, name: &OsStr) -> Result<File, Distrust> {
        let path = self.at(name)?;
        let flags = OFlags::WRONLY | OFlags::APPEND | OFlags::CREATE;
        let flags = flags | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let handle =
            openat(&self.handle, name, flags, Mode::RUSR | Mode::WUSR).map_err(|error| self.not_opened(name, error))?;
        check_opened(&handle, &path, Readers::Owner)?;
        Ok(File::from(handle))
    }

    /// Makes an empty file where there is nothing of this name. Says whether it did.
    ///
    /// # Errors
    ///
    /// [`Distrust::System`].
    pub fn touch(&self, name: &OsStr) -> Result<bool, Distrust> {
        self.at(name)?;
        match self.new_file(name) {
            Ok(_) => Ok(true),
            Err(Errno::EXIST) => Ok(false),
            Err(error) => Err(self.not_opened(name, error)),
        }
    }

    /// The file that has this name, where it is one of one's own; `None` where there is none.
    ///
    /// # Errors
    ///
    /// [`Distrust`] where it cannot be trusted.
    pub fn look(&self, name: &OsStr, readers: Readers) -> Result<Option<Found>, Distrust> {
        let path = self.at(name)?;
        let stat = match statat(&self.handle, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => stat,
            Err(Errno::NOENT) => return Ok(None),
            Err(error) => return Err(Distrust::system(path)(error)),
        };
        check_file(&stat, &path, readers)?;
        let bytes = u64::try_from(stat.st_size).unwrap_or(0);
        Ok(Some(Found { device: stat.st_dev, inode: stat.st_ino, bytes }))
    }

    /// Writes a file under a temporary name, syncs it and puts it in the place of what has the name, if anything has.
    ///
    /// # Errors
    ///
    /// [`Distrust::System`].
    pub fn write(&self, name: &OsStr, parts: &[&[u8]]) -> Result<(), Distrust> {
        self.place(name, parts, |temporary| renameat(&self.handle, temporary, &self.handle, name))
    }

    /// As [`write`](Self::write), where nothing has the name.
    ///
    /// # Errors
    ///
    /// [`Distrust::System`]: of the kind `AlreadyExists` where something has.
    pub fn write_new(&self, name: &OsStr, parts: &[&[u8]]) -> Result<(), Distrust> {
        self.place(name, parts, |temporary| {
            // Unlike a rename, a link does not replace what somebody else has written meanwhile.
            match linkat(&self.handle, temporary, &self.handle, name, AtFlags::empty()) {
                Ok(()) => unlinkat(&self.handle, temporary, AtFlags::empty()),
                Err(Errno::EXIST) => Err(Errno::EXIST),
                // A file system without hard links.
                Err(_) => match statat(&self.handle, name, AtFlags::SYMLINK_NOFOLLOW) {
                    Ok(_) => Err(Errno::EXIST),
                    Err(_) => renameat(&self.handle, temporary, &self.handle, name),
                },
            }
        })
    }

    fn place(
        &self,
        name: &OsStr,
        parts: &[&[u8]],
        give_name: impl FnOnce(&OsStr) -> Result<(), Errno>,
    ) -> Result<(), Distrust> {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let path = self.at(name)?;
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let mut temporary = OsString::from(".");
        temporary.push(name);
        temporary.push(format!(".{}.{number}", std::process::id()));
        let opened = match self.new_file(&temporary) {
            // Left by a process that had this number before: in a container they are few.
            Err(Errno::EXIST) => {
                unlinkat(&self.handle, &temporary, AtFlags::empty()).and_then(|()| self.new_file(&temporary))
            }
            opened => opened,
        };
        let handle = opened.map_err(Distrust::system(&path))?;
        let written = fill(File::from(handle), parts).and_then(|()| {
            give_name(&temporary)?;
            Ok(fsync(&self.handle)?)
        });
        written.map_err(|cause| {
            // The first error is the one to report.
            let _ = unlinkat(&self.handle, &temporary, AtFlags::empty());
            Distrust::System { path, cause }
        })
    }

    /// Makes a file that was not there.
    fn new_file(&self, name: &OsStr) -> Result<OwnedFd, Errno> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        openat(&self.handle, name, flags, Mode::RUSR | Mode::WUSR)
    }

    /// Where what has this name is, which is one name and no way to elsewhere.
    fn at(&self, name: &OsStr) -> Result<PathBuf, Distrust> {
        let path = self.named.join(name);
        let is_name = Path::new(name).components().eq([Component::Normal(name)]);
        if is_name { Ok(path) } else { Err(Distrust::system(path)(Errno::INVAL)) }
    }

    /// Why a part of this folder was not opened.
    fn not_opened(&self, name: &OsStr, error: Errno) -> Distrust {
        let path = self.named.join(name);
        let is_link =
            || statat(&self.handle, name, AtFlags::SYMLINK_NOFOLLOW).is_ok_and(|stat| kind(&stat).is_symlink());
        match error {
            Errno::LOOP | Errno::NOTDIR if is_link() => Distrust::Link { path },
            Errno::ISDIR | Errno::NXIO => Distrust::Kind { path },
            error => Distrust::system(path)(error),
        }
    }
}

fn fill(mut file: File, parts: &[&[u8]]) -> io::Result<()> {
    for part in parts {
        file.write_all(part)?;
    }
    file.sync_all()
}

/// The way to a folder, part by part from the root.
struct Walk {
    /// The folders on the way, each in the one before.
    handles: Vec<OwnedFd>,
    path: PathBuf,
    /// What is left of the way, the next part last.
    rest: Vec<OsString>,
    links: usize,
    makes: bool,
    is_shared: bool,
}

impl Walk {
    fn to(named: &Path, makes: bool) -> Result<Folder, Distrust> {
        let absolute = if named.as_os_str().is_empty() { Path::new(".") } else { named };
        let absolute =
            std::path::absolute(absolute).map_err(|cause| Distrust::System { path: named.to_owned(), cause })?;
        let root = Path::new("/");
        let handle = open(root, ON_THE_WAY, Mode::empty()).map_err(Distrust::system(root))?;
        let is_shared = check_folder(&fstat(&handle).map_err(Distrust::system(root))?, root)?;
        let mut walk =
            Self { handles: vec![handle], path: root.to_owned(), rest: Vec::new(), links: 0, makes, is_shared };
        walk.go_on(&absolute);
        while let Some(part) = walk.rest.pop() {
            if part == ".." {
                walk.back(walk.handles.len().saturating_sub(1).max(1));
            } else {
                walk.step(&part)?;
            }
        }
        // What is on the way may be closed to reading; the folder itself is synced.
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let last = walk.handles.last().map(|handle| openat(handle, ".", flags, Mode::empty()));
        let handle = last.unwrap_or(Err(Errno::NOENT)).map_err(Distrust::system(&walk.path))?;
        Ok(Folder { handle, path: walk.path, named: named.to_owned(), is_shared: walk.is_shared })
    }

    /// Goes on by this path, before what is left.
    fn go_on(&mut self, path: &Path) {
        for part in path.components().rev() {
            match part {
                Component::Normal(name) => self.rest.push(name.to_owned()),
                Component::ParentDir => self.rest.push("..".into()),
                Component::RootDir | Component::CurDir | Component::Prefix(_) => {}
            }
        }
    }

    /// Goes back to the folder of this depth, the root being 1.
    fn back(&mut self, depth: usize) {
        while self.handles.len() > depth {
            self.handles.pop();
            self.path.pop();
        }
    }

    fn step(&mut self, name: &OsStr) -> Result<(), Distrust> {
        let path = self.path.join(name);
        let Some(folder) = self.handles.last() else { return Err(Distrust::system(path)(Errno::NOENT)) };
        let opened = match openat(folder, name, ON_THE_WAY, Mode::empty()) {
            Err(Errno::NOENT) if self.makes => {
                match mkdirat(folder, name, Mode::RWXU) {
                    Ok(()) | Err(Errno::EXIST) => {}
                    Err(error) => return Err(Distrust::system(path)(error)),
                }
                openat(folder, name, ON_THE_WAY, Mode::empty())
            }
            opened => opened,
        };
        match opened {
            Ok(handle) => {
                self.is_shared = check_folder(&fstat(&handle).map_err(Distrust::system(&path))?, &path)?;
                self.handles.push(handle);
                self.path = path;
                Ok(())
            }
            Err(error @ (Errno::NOTDIR | Errno::LOOP)) => self.follow(name, path, error),
            Err(error) => Err(Distrust::system(path)(error)),
        }
    }

    /// Follows a link that nobody else can have put there.
    fn follow(&mut self, name: &OsStr, path: PathBuf, error: Errno) -> Result<(), Distrust> {
        let Some(folder) = self.handles.last() else { return Err(Distrust::system(path)(error)) };
        let stat = statat(folder, name, AtFlags::SYMLINK_NOFOLLOW).map_err(Distrust::system(&path))?;
        if !kind(&stat).is_symlink() || self.links >= LINKS_MAX {
            return Err(Distrust::system(path)(error));
        }
        // Asked before it is read: from then on nobody else can replace it.
        check_owner(&stat, &path)?;
        let target = readlinkat(folder, name, Vec::new()).map_err(Distrust::system(&path))?;
        let target = Path::new(OsStr::from_bytes(target.as_bytes()));
        self.links = self.links.saturating_add(1);
        if target.is_absolute() {
            self.back(1);
        }
        self.go_on(target);
        Ok(())
    }
}

/// How folders on the way are opened: to be asked, not to be read.
const ON_THE_WAY: OFlags = OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

fn kind(stat: &Stat) -> FileType {
    FileType::from_raw_mode(stat.st_mode)
}

/// What belongs to root is as safe as the system.
fn check_owner(stat: &Stat, path: &Path) -> Result<(), Distrust> {
    let owner = stat.st_uid;
    if owner == geteuid().as_raw() || owner == 0 {
        return Ok(());
    }
    Err(Distrust::Owner { path: path.to_owned(), owner })
}

/// Whether others may make files in a folder, and nothing worse.
fn check_folder(stat: &Stat, path: &Path) -> Result<bool, Distrust> {
    check_owner(stat, path)?;
    let is_writable = stat.st_mode & WRITABLE_BY_OTHERS != 0;
    if is_writable && stat.st_mode & STICKY == 0 {
        return Err(Distrust::Writable { path: path.to_owned() });
    }
    Ok(is_writable)
}

fn check_file(stat: &Stat, path: &Path, readers: Readers) -> Result<(), Distrust> {
    let path = || path.to_owned();
    if kind(stat).is_symlink() {
        return Err(Distrust::Link { path: path() });
    }
    if !kind(stat).is_file() {
        return Err(Distrust::Kind { path: path() });
    }
    check_owner(stat, &path())?;
    let forbidden = match readers {
        Readers::Any => WRITABLE_BY_OTHERS,
        Readers::Owner => OPEN_TO_OTHERS,
    };
    if stat.st_mode & forbidden != 0 {
        return Err(Distrust::Open { path: path() });
    }
    Ok(())
}

/// The same of a file that is open: it was reached by the only name that it has.
fn check_opened(handle: &OwnedFd, path: &Path, readers: Readers) -> Result<(), Distrust> {
    let stat = fstat(handle).map_err(Distrust::system(path))?;
    check_file(&stat, path, readers)?;
    if stat.st_nlink == 1 { Ok(()) } else { Err(Distrust::Names { path: path.to_owned() }) }
}
