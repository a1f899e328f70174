//! JavaScript of the user's: what is called of it, and when.
//!
//! A script is an ES module, and the functions that it exports are its hooks. Each sending thread evaluates it for itself, so that
//! nothing is shared on the path of a request; what `setup` returns reaches them as JSON. A script has no files, no network and no
//! timers, holds 64 MiB on a thread at most, and is interrupted when one call takes longer than a second.
//!
//! | module | job |
//! |---|---|
//! | `engine` | one engine within its limits, and where an error was |
//! | `globals` | `console`, `metrics`, `Math.random` |
//! | `wire` | requests and responses as objects, and back |
//! | `hooks` | the calls of one thread: `onSession`, `onRequest`, `onResponse` |
//! | `shape` | `shape(t)` as points of a curve |

mod engine;
mod globals;
mod hooks;
mod shape;
#[cfg(test)]
mod tests;
mod wire;

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use mynah_traffic::Error as TrafficError;
use rquickjs::Value;

use crate::Error;
use engine::{Engine, ONCE, settled};

pub(crate) use globals::Metric;
pub(crate) use hooks::{Asked, Handed, Hooks, Person, Visit};
pub(crate) use shape::{Sampled, sample};

/// Bytes of a script's file.
const MOST_BYTES: u64 = 4 << 20;
/// What a script may export to be called.
const HOOKS: [&str; 6] = ["setup", "teardown", "onSession", "onRequest", "onResponse", "shape"];
/// Correlations with names that begin so are what scripts hand out: `${script.NAME}`.
pub(crate) const PREFIX: &str = "script.";

/// A script that was read and evaluated once, so that it is known to be one.
#[derive(Clone, Debug)]
pub struct Script {
    path: PathBuf,
    name: String,
    source: String,
    hooks: Vec<&'static str>,
}

/// A script as it is played: with what its `setup` has returned.
#[derive(Debug)]
pub(crate) struct Scripted {
    pub(crate) script: Script,
    seed: u64,
    /// JSON; set before threads begin.
    data: OnceLock<String>,
}

/// The engine that `setup` ran in, kept for `teardown`.
pub(crate) struct Master {
    engine: Engine,
}

impl Script {
    /// Reads and evaluates it.
    ///
    /// # Errors
    /// [`Error::Traffic`] when it cannot be read; [`Error::Config`] with file, line and column for what is wrong in it, and where it
    /// exports nothing that is ever called.
    pub fn load(path: &Path) -> Result<Script, Error> {
        let (name, source) = read(path)?;
        let engine = Engine::new(&name, &source, 0, false).map_err(Error::Config)?;
        let exports = engine.exports().map_err(Error::Config)?;
        let hooks = hooks_of(&name, &exports)?;
        Ok(Script { path: path.to_path_buf(), name, source, hooks })
    }

    /// Its file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether it exports a function of this name.
    pub fn exports(&self, hook: &str) -> bool {
        self.hooks.contains(&hook)
    }
}

impl Scripted {
    pub(crate) fn new(script: Script, seed: u64) -> Scripted {
        Scripted { script, seed, data: OnceLock::new() }
    }

    /// Calls `setup`; once, before threads begin.
    pub(crate) fn set_up(&self) -> Result<Option<Master>, Error> {
        if !self.script.exports("setup") && !self.script.exports("teardown") {
            return Ok(None);
        }
        let engine =
            Engine::new(&self.script.name, &self.script.source, self.seed, false).map_err(Error::Config)?;
        if let Some(setup) = engine.function("setup").map_err(Error::Config)? {
            let called = engine.run(ONCE, |ctx| {
                let value: Value<'_> = setup.clone().restore(ctx)?.call(())?;
                let value = settled(value)?;
                match ctx.json_stringify(value)? {
                    Some(text) => text.to_string().map(Some),
                    None => Ok(None),
                }
            });
            let data = called.map_err(|why| Error::Config(format!("{why} (in setup, nothing was sent)")))?;
            if let Some(data) = data {
                let _ = self.data.set(data);
            }
        }
        Ok(Some(Master { engine }))
    }

    /// Calls `teardown`; once, when all threads have ended. What went wrong, in words; and what both have counted.
    pub(crate) fn tear_down(
        &self,
        master: &Master,
    ) -> (Option<String>, std::collections::BTreeMap<String, Metric>) {
        let called = master.engine.function("teardown").and_then(|teardown| {
            let Some(teardown) = teardown else { return Ok(()) };
            master.engine.run(ONCE, |ctx| {
                let data = self.parsed(ctx)?;
                let value: Value<'_> = teardown.clone().restore(ctx)?.call((data,))?;
                settled(value).map(|_| ())
            })
        });
        (called.err(), master.engine.metrics().take())
    }

    /// The hooks of one thread; `None`: none is called while requests are sent.
    pub(crate) fn start(&self, thread: usize, correlations: &[String]) -> Result<Option<Hooks>, Error> {
        if !["onSession", "onRequest", "onResponse"].iter().any(|hook| self.script.exports(hook)) {
            return Ok(None);
        }
        let seed = self.seed ^ (thread as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let engine =
            Engine::new(&self.script.name, &self.script.source, seed, false).map_err(Error::Config)?;
        Hooks::new(engine, self, correlations).map(Some).map_err(Error::Config)
    }

    /// What `setup` has returned.
    fn parsed<'js>(&self, ctx: &rquickjs::Ctx<'js>) -> rquickjs::Result<Value<'js>> {
        match self.data.get() {
            Some(data) => ctx.json_parse(data.as_str()),
            None => Ok(Value::new_undefined(ctx.clone())),
        }
    }
}

/// The name that messages call a script by, and its text.
fn read(path: &Path) -> Result<(String, String), Error> {
    let size = std::fs::metadata(path).map_err(|error| TrafficError::io(path, error))?.len();
    if size > MOST_BYTES {
        return Err(Error::Config(format!(
            "{}: {size} bytes are more than a script may have",
            path.display()
        )));
    }
    let bytes = std::fs::read(path).map_err(|error| TrafficError::io(path, error))?;
    let source = String::from_utf8(bytes)
        .map_err(|_| Error::Config(format!("{}: it is not text (UTF-8)", path.display())))?;
    let name =
        path.file_name().map_or_else(|| "script".to_owned(), |name| name.to_string_lossy().into_owned());
    Ok((name, source))
}

/// The hooks among what it exports.
fn hooks_of(name: &str, exports: &[(String, bool)]) -> Result<Vec<&'static str>, Error> {
    let mut hooks = Vec::new();
    for (export, is_function) in exports {
        if let Some(hook) = HOOKS.iter().find(|hook| *hook == export) {
            if !is_function {
                return Err(Error::Config(format!("{name}: it exports '{hook}', which is no function")));
            }
            hooks.push(*hook);
        } else if let Some(meant) = HOOKS.iter().find(|hook| hook.eq_ignore_ascii_case(export)) {
            return Err(Error::Config(format!("{name}: it exports '{export}'; did you mean '{meant}'?")));
        }
    }
    if hooks.is_empty() {
        return Err(Error::Config(format!(
            "{name}: it exports nothing that is called; expected 'export function …' of {}",
            HOOKS.join(", ")
        )));
    }
    Ok(hooks)
}
