//! Finding and reading rule files. The only place of this stage that touches the file system.

use super::sigma::Problem;
use std::{
    collections::HashSet,
    fs,
    io::Read,
    path::{Path, PathBuf},
};

/// A larger file is no rule.
const MAX_BYTES: u64 = 1 << 20;
/// Files in all folders.
const MAX_FILES: usize = 20_000;
/// Folders in folders.
const MAX_DEPTH: usize = 16;

/// A file's name (relative to the folder it was found under) and its text, or why there is none.
pub(crate) type File = (String, Result<String, Problem>);

/// All rule files (`.yml`, `.yaml`) of the folders, in the order of their names, each once.
pub(crate) fn read(dirs: &[PathBuf]) -> Vec<File> {
    let mut walk = Walk { seen: HashSet::new(), out: Vec::new() };
    for dir in dirs {
        if dir.is_dir() {
            walk.folder(dir, dir, 0);
        } else {
            walk.file(dir, dir.parent().unwrap_or(dir));
        }
    }
    walk.out
}

struct Walk {
    seen: HashSet<PathBuf>,
    out: Vec<File>,
}

impl Walk {
    fn folder(&mut self, dir: &Path, base: &Path, depth: usize) {
        // A folder that was seen is not entered again, whatever links lead to it.
        if let Ok(real) = dir.canonicalize()
            && !self.seen.insert(real)
        {
            return;
        }
        if depth > MAX_DEPTH {
            return self.complain(dir, base, format!("folders more than {MAX_DEPTH} deep"), "move the rules up");
        }
        let entries: Result<Vec<_>, _> = fs::read_dir(dir).and_then(Iterator::collect);
        let mut entries = match entries {
            Ok(entries) => entries,
            Err(e) => return self.complain(dir, base, format!("the folder cannot be read: {e}"), "check its permissions"),
        };
        entries.sort_by_key(fs::DirEntry::file_name);
        for entry in entries {
            let path = entry.path();
            if entry.file_name().as_encoded_bytes().starts_with(b".") {
                continue;
            }
            if path.is_dir() {
                self.folder(&path, base, depth + 1);
            } else if path.extension().is_some_and(|e| e == "yml" || e == "yaml") {
                self.file(&path, base);
            }
        }
    }

    fn file(&mut self, path: &Path, base: &Path) {
        if let Ok(real) = path.canonicalize()
            && !self.seen.insert(real)
        {
            return;
        }
        if self.out.len() >= MAX_FILES {
            if self.out.len() == MAX_FILES {
                self.complain(path, base, format!("more than {MAX_FILES} rule files"), "load fewer; from this file on none is read");
            }
            return;
        }
        let text = read_text(path);
        self.out.push((name(path, base), text));
    }

    fn complain(&mut self, path: &Path, base: &Path, message: String, hint: &str) {
        self.out.push((name(path, base), Err(Problem::broken(message, hint))));
    }
}

fn name(path: &Path, base: &Path) -> String {
    let relative = path.strip_prefix(base).ok().filter(|p| !p.as_os_str().is_empty()).unwrap_or(path);
    relative.to_string_lossy().into_owned()
}

fn read_text(path: &Path) -> Result<String, Problem> {
    let cannot = |e: std::io::Error| Problem::broken(format!("it cannot be read: {e}"), "check the path and its permissions");
    // Opening a pipe would wait for somebody to write into it.
    if !fs::metadata(path).map_err(cannot)?.is_file() {
        return Err(Problem::broken("it is no file", "give a rule file or a folder of rules"));
    }
    let file = fs::File::open(path).map_err(cannot)?;
    let mut bytes = Vec::new();
    file.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(cannot)?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(Problem::broken(format!("it is larger than {} KiB", MAX_BYTES / 1024), "split it, a rule per file"));
    }
    String::from_utf8(bytes).map_err(|e| Problem::broken(format!("byte {} is no UTF-8", e.utf8_error().valid_up_to()), "save it as UTF-8"))
}
