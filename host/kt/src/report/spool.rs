//! Bytes that wait for what has to be written before them.

use std::fs::File;
use std::io::{self, Seek, Write};

/// Bytes that are held in memory. More go to a file without a name.
const MEMORY_BYTES: usize = 8 << 20;

/// Collects bytes, in memory or on the disk.
#[derive(Default)]
pub(super) struct Spool {
    memory: Vec<u8>,
    file: Option<File>,
}

impl Spool {
    /// Writes everything to `out`, and is empty then.
    pub(super) fn drain(&mut self, out: &mut dyn Write) -> io::Result<()> {
        if let Some(mut file) = self.file.take() {
            file.rewind()?;
            io::copy(&mut file, out)?;
        }
        out.write_all(&self.memory)?;
        self.memory.clear();
        Ok(())
    }
}

impl Write for Spool {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.memory.extend_from_slice(bytes);
        if self.memory.len() > MEMORY_BYTES {
            let file = match &mut self.file {
                Some(file) => file,
                none => none.insert(tempfile::tempfile()?),
            };
            file.write_all(&self.memory)?;
            self.memory.clear();
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_in_memory_comes_back_in_order() {
        let (mut spool, mut out) = (Spool::default(), Vec::new());
        let part = vec![b'x'; 3 << 20];
        for n in 0..4_u8 {
            spool.write_all(&[b'0' + n]).unwrap();
            spool.write_all(&part).unwrap();
        }
        spool.drain(&mut out).unwrap();
        let marks: Vec<u8> = out.iter().copied().filter(|byte| *byte != b'x').collect();
        assert_eq!((out.len(), marks.as_slice()), (4 * part.len() + 4, b"0123".as_slice()));
        out.clear();
        spool.drain(&mut out).unwrap();
        assert!(out.is_empty());
    }
}
