//! Segments as files of a folder: `00000001.wal` …, preallocated with written zeros (a hole would make the first
//! fdatasync of each page write metadata), one writer at a time by an exclusive lock on `lock`.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::disk::{Disk, PANIC_SEGMENT, SegmentId};

/// Bytes zeroed by one write.
const ZERO_CHUNK: usize = 1 << 20;

/// A folder of segments.
#[derive(Debug)]
pub struct FileDisk {
    folder: PathBuf,
    open: BTreeMap<SegmentId, File>,
    /// Held, never read: the lock lasts as long as the file is open. `None` = read-only.
    _lock: Option<File>,
    read_only: bool,
}

impl FileDisk {
    /// Opens or makes the folder and locks it. A second writer is refused.
    pub fn open(folder: &Path) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        let lock = OpenOptions::new().create(true).truncate(false).write(true).open(folder.join("lock"))?;
        lock.try_lock().map_err(|_| {
            let text = format!(
                "the journal {} is in use by another process: stop it, or give this one another folder",
                folder.display()
            );
            io::Error::new(io::ErrorKind::WouldBlock, text)
        })?;
        sync_folder(folder)?;
        Ok(Self { folder: folder.into(), open: BTreeMap::new(), _lock: Some(lock), read_only: false })
    }

    /// Opens a folder to read while another process may write.
    pub fn open_read_only(folder: &Path) -> io::Result<Self> {
        fs::metadata(folder)?;
        Ok(Self { folder: folder.into(), open: BTreeMap::new(), _lock: None, read_only: true })
    }

    fn path(&self, segment: SegmentId) -> PathBuf {
        if segment == PANIC_SEGMENT {
            self.folder.join("panic.wal")
        } else {
            self.folder.join(format!("{segment:08}.wal"))
        }
    }

    fn file(&mut self, segment: SegmentId) -> io::Result<&mut File> {
        if !self.open.contains_key(&segment) {
            let file = OpenOptions::new().read(true).write(!self.read_only).open(self.path(segment))?;
            self.open.insert(segment, file);
        }
        self.open.get_mut(&segment).ok_or_else(|| io::Error::other("segment vanished"))
    }
}

fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

impl Disk for FileDisk {
    fn segments(&mut self) -> io::Result<Vec<SegmentId>> {
        let mut found = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            let name = entry?.file_name();
            let number = name.to_str().and_then(|n| n.strip_suffix(".wal")).and_then(|n| n.parse::<SegmentId>().ok());
            found.extend(number.filter(|n| *n != PANIC_SEGMENT));
        }
        found.sort_unstable();
        Ok(found)
    }

    fn create(&mut self, segment: SegmentId, bytes: u64) -> io::Result<()> {
        let path = self.path(segment);
        if path.exists() {
            return Ok(());
        }
        // A segment appears whole or not at all: zeros, fsync, rename, fsync of the folder.
        let temporary = path.with_extension("new");
        let mut file = File::create(&temporary)?;
        let zeros = vec![0; ZERO_CHUNK];
        let mut left = usize::try_from(bytes).map_err(io::Error::other)?;
        while left > 0 {
            let n = left.min(ZERO_CHUNK);
            file.write_all(&zeros[..n])?;
            left -= n;
        }
        file.sync_all()?;
        fs::rename(&temporary, &path)?;
        sync_folder(&self.folder)
    }

    fn read(&mut self, segment: SegmentId) -> io::Result<Vec<u8>> {
        let file = self.file(segment)?;
        let mut bytes = Vec::new();
        file.seek(SeekFrom::Start(0))?;
        file.read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    fn write_at(&mut self, segment: SegmentId, offset: u64, data: &[u8]) -> io::Result<()> {
        self.file(segment)?.write_all_at(data, offset)
    }

    fn sync(&mut self, segment: SegmentId) -> io::Result<()> {
        self.file(segment)?.sync_data()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_has_one_writer_and_segments_survive_reopening() {
        let dir = tempfile::tempdir().unwrap();
        let mut disk = FileDisk::open(dir.path()).unwrap();
        disk.create(PANIC_SEGMENT, 4096).unwrap();
        disk.create(2, 8192).unwrap();
        disk.create(1, 8192).unwrap();
        assert_eq!(disk.segments().unwrap(), [1, 2]);
        disk.write_at(1, 100, b"hello").unwrap();
        disk.sync(1).unwrap();
        assert!(FileDisk::open(dir.path()).is_err_and(|e| e.to_string().contains("in use by another process")));
        let mut reader = FileDisk::open_read_only(dir.path()).unwrap();
        assert_eq!(&reader.read(1).unwrap()[98..106], b"\0\0hello\0");
        assert!(reader.write_at(1, 0, b"x").is_err());
        drop(disk);
        let mut again = FileDisk::open(dir.path()).unwrap();
        again.create(1, 8192).unwrap();
        assert_eq!(&again.read(1).unwrap()[100..105], b"hello", "creating again keeps it");
        assert_eq!(again.read(1).unwrap().len(), 8192);
    }
}
