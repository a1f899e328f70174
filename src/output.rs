//! Where a command's results go: files that must not be somebody else's, and a standard output that may be gone.

use std::io::Write;
use std::path::{Path, PathBuf};

use mynah_traffic::recording::partial_path;

use crate::exit::{Exit, Exits, Failure, fail};
use crate::input::Inputs;
use crate::terminal;

/// Looks at a path before any work is done: its folder must be there, what stands there must be a plain file, and none
/// of the inputs.
///
/// `ours` says whether what stands there may be replaced: it begins like what will be written.
pub(crate) fn check(path: &Path, inputs: &Inputs, ours: impl Fn(&[u8]) -> bool) -> Result<(), Failure> {
    let refuse = |why: &str| Err(fail(Exit::Usage, format!("{}: {why}", path.display())));
    if path.as_os_str() == "-" {
        return refuse("this is not written to standard output; name a file");
    }
    let real = |path: &Path| std::fs::canonicalize(path).ok();
    let is_input =
        |path: &Path| real(path).is_some() && inputs.paths().any(|input| real(input) == real(path));
    if is_input(&partial_path(path)) {
        return refuse("would be written where an input stands until it is done; name another output");
    }
    if is_input(path) {
        return refuse("is an input, too; name another output");
    }
    check_free(path, ours)
}

/// The same for what has no inputs that it could destroy.
fn check_free(path: &Path, ours: impl Fn(&[u8]) -> bool) -> Result<(), Failure> {
    let shown = path.display();
    let refuse = |why: &str| Err(fail(Exit::Usage, format!("{shown}: {why}")));
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if !folder.is_dir() {
        return Err(fail(Exit::Usage, format!("{shown}: there is no folder {}", folder.display())));
    }
    if path.is_symlink() {
        return refuse("is a symbolic link, which would be replaced; name the file itself");
    }
    let Ok(meta) = std::fs::metadata(path) else { return Ok(()) };
    if !meta.is_file() {
        return refuse("is no plain file; name another output");
    }
    let mut first = Vec::new();
    if let Ok(file) = std::fs::File::open(path) {
        let _ = std::io::Read::read_to_end(&mut std::io::Read::take(file, 256), &mut first);
    }
    if first.is_empty() || ours(&first) {
        Ok(())
    } else {
        refuse("holds something else already; name another output or move it away")
    }
}

/// Writes a report to a file, unless something else stands there: what is ours begins like this one.
pub(crate) fn write_report(path: &Path, text: &[u8]) -> Result<(), Failure> {
    let begin = text.get(..text.len().min(BEGIN)).unwrap_or_default();
    check_free(path, |there| there.starts_with(begin))?;
    write_whole(path, text)?;
    terminal::say(format!("wrote {}", path.display()));
    Ok(())
}

/// Bytes by which a report of one sort is known.
const BEGIN: usize = 15;

/// Whether what stands there begins like a page of ours.
pub(crate) fn is_page(first: &[u8]) -> bool {
    first.starts_with(b"<!doctype html>")
}

/// Writes a file as a whole or not at all: what stood there stays until all of the new one is written.
pub(crate) fn write_whole(path: &Path, text: &[u8]) -> Result<(), Failure> {
    let mut file = Whole::create(path)?;
    file.write_all(text).map_err(|error| mynah_traffic::Error::io(path, error)).exits(Exit::Usage)?;
    file.finish()
}

/// A file that takes the place of what stood there when it is finished, and leaves nothing when it is not.
pub(crate) struct Whole {
    file: tempfile::NamedTempFile,
    path: PathBuf,
}

impl Whole {
    pub(crate) fn create(path: &Path) -> Result<Whole, Failure> {
        let io = |error| mynah_traffic::Error::io(path, error);
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let mut builder = tempfile::Builder::new();
        builder.prefix(".mynah-");
        // As any new file's: what the umask leaves.
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
        let file = builder.tempfile_in(folder).map_err(io).exits(Exit::Usage)?;
        Ok(Whole { file, path: path.to_owned() })
    }

    pub(crate) fn finish(mut self) -> Result<(), Failure> {
        let io = |error| mynah_traffic::Error::io(&self.path, error);
        self.file.flush().map_err(io).exits(Exit::Usage)?;
        self.file.persist(&self.path).map_err(|error| io(error.error)).exits(Exit::Usage)?;
        Ok(())
    }
}

impl Write for Whole {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.file.flush()
    }
}

/// Whether two paths lead to the same place, be there something or not.
pub(crate) fn is_same(one: &Path, other: &Path) -> bool {
    let real = |path: &Path| {
        std::fs::canonicalize(path).ok().or_else(|| {
            let folder =
                path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
            Some(std::fs::canonicalize(folder).ok()?.join(path.file_name()?))
        })
    };
    real(one).is_some() && real(one) == real(other)
}

/// Prints to standard output. A reader that has seen enough is fine; a full disk is an error, not a panic.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(fail(Exit::Usage, format!("standard output: {error}")))
        }
        _ => Ok(()),
    }
}
