//! The hooks of one thread, as its users call them.

use std::collections::BTreeMap;
use std::rc::Rc;

use http::Method;
use mynah_message::Head;
use rquickjs::{Function, Object, Persistent, Value};

use super::engine::{CALL, Engine, settled, shown};
use super::globals::Metric;
use super::wire::{changed, request, response, texts};
use super::{PREFIX, Scripted};

type Hook = Option<Persistent<Function<'static>>>;

/// What values steps want of scripts: each with the number of its correlation.
type Wanted = Vec<(String, u32)>;

/// One thread's script.
pub(crate) struct Hooks {
    // Values are dropped before the engine.
    on_session: Hook,
    on_request: Hook,
    on_response: Hook,
    data: Persistent<Value<'static>>,
    engine: Engine,
    /// `onResponse` has a place for the request.
    shows_request: bool,
    wanted: Wanted,
}

/// A user's session as scripts know it: an object that is theirs to write on.
pub(crate) struct Visit {
    // Dropped before the engine that it belongs to.
    object: Persistent<Object<'static>>,
    hooks: Rc<Hooks>,
}

/// A request that a script was asked about.
pub(crate) struct Asked {
    // Dropped before the engine that it belongs to.
    object: Persistent<Object<'static>>,
    _hooks: Rc<Hooks>,
    /// What is to be sent in place of it.
    pub(crate) changed: Option<Vec<u8>>,
    /// It is not to be sent.
    pub(crate) skipped: bool,
}

impl Asked {
    /// The method of what is sent in place of it.
    pub(crate) fn method(&self) -> Option<Method> {
        Method::from_bytes(Head::parse(self.changed.as_deref()?).ok()?.method()?.as_bytes()).ok()
    }
}

/// Whom a session is of.
pub(crate) struct Person<'a> {
    pub(crate) number: u64,
    pub(crate) profile: &'a str,
    /// Columns and values.
    pub(crate) identity: Vec<(&'a str, &'a str)>,
}

/// Values that a script has handed out, by number of the correlation.
pub(crate) type Handed = Vec<(u32, Vec<String>)>;

impl Hooks {
    pub(super) fn new(engine: Engine, scripted: &Scripted, correlations: &[String]) -> Result<Hooks, String> {
        let on_response = engine.function("onResponse")?;
        let data = engine.run(CALL, |ctx| Ok(Persistent::save(ctx, scripted.parsed(ctx)?)))?;
        let shows_request = match &on_response {
            None => false,
            Some(function) => {
                let function = function.clone();
                engine.run(CALL, |ctx| Ok(function.restore(ctx)?.get::<_, usize>("length")? != 1))?
            }
        };
        Ok(Hooks {
            on_session: engine.function("onSession")?,
            on_request: engine.function("onRequest")?,
            on_response,
            data,
            engine,
            shows_request,
            wanted: wanted(correlations),
        })
    }

    /// Whether requests are shown to it.
    pub(crate) fn sees_requests(&self) -> bool {
        self.on_request.is_some() || self.shows_request
    }

    /// Whether answers are shown to it, whole.
    pub(crate) fn sees_answers(&self) -> bool {
        self.on_response.is_some()
    }

    /// What it has counted.
    pub(crate) fn metrics(&self) -> BTreeMap<String, Metric> {
        self.engine.metrics().take()
    }

    /// A session begins. `before`: the user's, where it goes on with what it knows.
    ///
    /// # Errors
    /// In words, with the place.
    pub(crate) fn session(
        self: &Rc<Hooks>,
        before: Option<Visit>,
        person: &Person<'_>,
    ) -> Result<(Visit, Handed), String> {
        self.engine.run(CALL, |ctx| {
            let object = match before {
                Some(visit) => visit.object.clone().restore(ctx)?,
                None => Object::new(ctx.clone())?,
            };
            if !object.contains_key("vars")? {
                object.set("vars", Object::new(ctx.clone())?)?;
            }
            object.set("number", person.number as f64)?;
            object.set("profile", person.profile)?;
            let identity = Object::new(ctx.clone())?;
            for (column, value) in &person.identity {
                identity.set(*column, *value)?;
            }
            object.set("identity", identity)?;
            let data = self.data.clone().restore(ctx)?;
            object.set("data", data.clone())?;
            let mut handed = Handed::new();
            if let Some(hook) = &self.on_session {
                let value: Value<'_> = hook.clone().restore(ctx)?.call((object.clone(), data))?;
                settled(value)?;
                handed = vars(&object, &self.wanted)?;
            }
            Ok((Visit { object: Persistent::save(ctx, object), hooks: self.clone() }, handed))
        })
    }
}

impl Visit {
    /// Shows a request, head and body, that is about to be sent.
    ///
    /// # Errors
    /// In words, with the place.
    pub(crate) fn request(&self, whole: &[u8]) -> Result<(Asked, Handed), String> {
        let hooks = &self.hooks;
        hooks.engine.run(CALL, |ctx| {
            let object = request(ctx, whole)?;
            let (mut skipped, mut new, mut handed) = (false, None, Handed::new());
            if let Some(hook) = &hooks.on_request {
                let session = self.object.clone().restore(ctx)?;
                let value: Value<'_> = hook.clone().restore(ctx)?.call((object.clone(), session.clone()))?;
                skipped = settled(value)?.as_bool() == Some(false);
                if !skipped {
                    new = changed(&object, whole)?;
                }
                handed = vars(&session, &hooks.wanted)?;
            }
            let object = Persistent::save(ctx, object);
            Ok((Asked { object, _hooks: hooks.clone(), changed: new, skipped }, handed))
        })
    }

    /// Shows an answer. What is wrong with it, where the script says so.
    ///
    /// # Errors
    /// In words, with the place.
    pub(crate) fn response(
        &self,
        (head, body): (&[u8], &[u8]),
        asked: Option<&Asked>,
    ) -> Result<(Option<String>, Handed), String> {
        let hooks = &self.hooks;
        let Some(hook) = &hooks.on_response else { return Ok((None, Handed::new())) };
        hooks.engine.run(CALL, |ctx| {
            let answer = response(ctx, head, body)?;
            let request = match asked {
                Some(asked) => asked.object.clone().restore(ctx)?.into_value(),
                None => Value::new_undefined(ctx.clone()),
            };
            let session = self.object.clone().restore(ctx)?;
            let value: Value<'_> = hook.clone().restore(ctx)?.call((answer, request, session.clone()))?;
            let value = settled(value)?;
            let wrong = match (value.as_bool(), value.is_string()) {
                (Some(false), _) => Some("onResponse says no".to_owned()),
                (_, true) => shown(&value)?,
                _ => None,
            };
            Ok((wrong, vars(&session, &hooks.wanted)?))
        })
    }
}

/// The values that steps want, of all correlations.
fn wanted(correlations: &[String]) -> Wanted {
    let own = |(number, name): (usize, &String)| Some((name.strip_prefix(PREFIX)?.to_owned(), number as u32));
    correlations.iter().enumerate().filter_map(own).collect()
}

/// The values of `session.vars` that steps want.
fn vars(session: &Object<'_>, wanted: &Wanted) -> rquickjs::Result<Handed> {
    if wanted.is_empty() {
        return Ok(Handed::new());
    }
    let vars: Object<'_> = session.get("vars")?;
    let mut handed = Handed::with_capacity(wanted.len());
    for (name, number) in wanted {
        let value: Value<'_> = vars.get(name.as_str())?;
        let values = match value.as_array() {
            Some(list) => texts(list)?,
            None => shown(&value)?.into_iter().collect(),
        };
        handed.push((*number, values));
    }
    Ok(handed)
}

// Only what tells them apart: the rest is the engine's.
impl std::fmt::Debug for Asked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Asked").field("skipped", &self.skipped).finish_non_exhaustive()
    }
}
