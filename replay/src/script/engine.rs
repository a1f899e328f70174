//! One JavaScript engine: a module that was evaluated, within its limits of time and memory.

use std::cell::Cell;
use std::fmt::Write as _;
use std::rc::Rc;
use std::time::{Duration, Instant};

use rquickjs::context::intrinsic;
use rquickjs::{
    Context, Ctx, Error as JsError, Exception, Function, Module, Object, Persistent, Runtime, Value,
};

use super::globals::{self, Metrics};

/// Bytes that scripts may hold on one thread.
const MEMORY: usize = 64 << 20;
/// Bytes of a sending thread's stack, of 2 MiB, that they may use.
const STACK: usize = 512 << 10;
/// How long one call of a hook may take.
pub(super) const CALL: Duration = Duration::from_secs(1);
/// How long loading, `setup` and `teardown` may take.
pub(super) const ONCE: Duration = Duration::from_secs(10);
/// Characters of a message that are kept.
const SHOWN: usize = 300;

/// What a script is evaluated with: no file, no network, no clock but `Date`, no module but itself.
type Parts = (
    intrinsic::Date,
    intrinsic::Eval,
    intrinsic::RegExpCompiler,
    intrinsic::RegExp,
    intrinsic::Json,
    intrinsic::Proxy,
    intrinsic::MapSet,
    intrinsic::TypedArrays,
    intrinsic::Promise,
    intrinsic::WeakRef,
);

/// The same for what must be a function of its arguments alone.
type Timeless = (
    intrinsic::Eval,
    intrinsic::RegExpCompiler,
    intrinsic::RegExp,
    intrinsic::Json,
    intrinsic::Proxy,
    intrinsic::MapSet,
    intrinsic::TypedArrays,
    intrinsic::Promise,
);

/// An engine of one thread. What is kept of its values must be dropped before it: whoever keeps one holds the engine, too.
pub(super) struct Engine {
    // Dropped in this order: values before the context, the context before the runtime.
    module: Persistent<Object<'static>>,
    context: Context,
    _runtime: Runtime,
    limit: Rc<Limit>,
    name: String,
    metrics: Rc<Metrics>,
}

/// By when the call in hand must have ended.
#[derive(Default)]
struct Limit {
    until: Cell<Option<Instant>>,
    span: Cell<Duration>,
    fired: Cell<bool>,
}

impl Limit {
    fn set(&self, span: Duration) {
        self.until.set(Instant::now().checked_add(span));
        self.span.set(span);
        self.fired.set(false);
    }

    fn is_over(&self) -> bool {
        let over = self.until.get().is_some_and(|until| Instant::now() >= until);
        if over {
            self.fired.set(true);
        }
        over
    }
}

impl Engine {
    /// Evaluates a module. `name`: what it is called in messages. `seed`: of `Math.random`. `timeless`: there is no `Date`.
    ///
    /// # Errors
    /// In words, with file, line and column.
    pub(super) fn new(name: &str, source: &str, seed: u64, timeless: bool) -> Result<Engine, String> {
        let wrong = |error: JsError| format!("{name}: the JavaScript engine cannot be set up: {error}");
        let runtime = Runtime::new().map_err(wrong)?;
        runtime.set_memory_limit(MEMORY);
        runtime.set_max_stack_size(STACK);
        let limit = Rc::new(Limit::default());
        let watch = limit.clone();
        runtime.set_interrupt_handler(Some(Box::new(move || watch.is_over())));
        let context =
            if timeless { Context::custom::<Timeless>(&runtime) } else { Context::custom::<Parts>(&runtime) };
        let context = context.map_err(wrong)?;
        let metrics = Rc::new(Metrics::default());
        limit.set(ONCE);
        let module = context.with(|ctx| {
            let made = globals::put(&ctx, seed, &metrics).and_then(|()| {
                let (module, done) = Module::declare(ctx.clone(), name, source)?.eval()?;
                done.finish::<()>()?;
                Ok(Persistent::save(&ctx, module.namespace()?))
            });
            made.map_err(|error| describe(&ctx, &error, name, &limit))
        })?;
        limit.until.set(None);
        Ok(Engine { module, context, _runtime: runtime, limit, name: name.to_owned(), metrics })
    }

    /// Names of what it exports.
    pub(super) fn exports(&self) -> Result<Vec<(String, bool)>, String> {
        self.run(ONCE, |ctx| {
            let module = self.module.clone().restore(ctx)?;
            let mut names = Vec::new();
            for name in module.keys::<String>() {
                let name = name?;
                let is_function = module.get::<_, Value<'_>>(&name)?.is_function();
                names.push((name, is_function));
            }
            Ok(names)
        })
    }

    /// A function that it exports.
    pub(super) fn function(&self, name: &str) -> Result<Option<Persistent<Function<'static>>>, String> {
        self.run(ONCE, |ctx| {
            let value: Value<'_> = self.module.clone().restore(ctx)?.get(name)?;
            Ok(value.into_function().map(|function| Persistent::save(ctx, function)))
        })
    }

    /// A value that it exports.
    pub(super) fn text(&self, name: &str) -> Result<Option<String>, String> {
        self.run(ONCE, |ctx| {
            let value: Value<'_> = self.module.clone().restore(ctx)?.get(name)?;
            shown(&value)
        })
    }

    /// Does something with the engine, for no longer than that.
    ///
    /// # Errors
    /// In words, with file, line and column.
    pub(super) fn run<R>(
        &self,
        span: Duration,
        call: impl for<'js> FnOnce(&Ctx<'js>) -> rquickjs::Result<R>,
    ) -> Result<R, String> {
        self.limit.set(span);
        let result = self
            .context
            .with(|ctx| call(&ctx).map_err(|error| describe(&ctx, &error, &self.name, &self.limit)));
        self.limit.until.set(None);
        result
    }

    pub(super) fn metrics(&self) -> &Metrics {
        &self.metrics
    }
}

/// What a hook returned; what an `async` one promised.
pub(super) fn settled(value: Value<'_>) -> rquickjs::Result<Value<'_>> {
    match value.as_promise() {
        Some(promise) => promise.finish(),
        None => Ok(value),
    }
}

/// A text, number or truth value as text. `None` where there is nothing.
pub(super) fn shown(value: &Value<'_>) -> rquickjs::Result<Option<String>> {
    if value.is_undefined() || value.is_null() {
        return Ok(None);
    }
    if let Some(text) = value.as_string() {
        return text.to_string().map(Some);
    }
    if let Some(number) = value.as_int() {
        return Ok(Some(number.to_string()));
    }
    if let Some(truth) = value.as_bool() {
        return Ok(Some(truth.to_string()));
    }
    let text = match value.ctx().json_stringify(value.clone())? {
        Some(text) => text.to_string()?,
        None => return Ok(None),
    };
    Ok(Some(text))
}

/// What went wrong: `hooks.js:12:5: TypeError: …`.
fn describe(ctx: &Ctx<'_>, error: &JsError, name: &str, limit: &Limit) -> String {
    let fired = limit.fired.get();
    let span = limit.span.get();
    // Its texts may be made by the script.
    limit.set(Duration::from_millis(100));
    let text = match error {
        JsError::Exception => {
            let thrown = ctx.catch();
            let (mut message, stack) = if let Some(object) = thrown.as_object().filter(|_| thrown.is_error())
            {
                let text = |key: &str| object.get::<_, Option<String>>(key).ok().flatten();
                let kind = text("name").unwrap_or_else(|| "Error".to_owned());
                (format!("{kind}: {}", text("message").unwrap_or_default()), text("stack"))
            } else {
                let text = shown(&thrown).ok().flatten().unwrap_or_else(|| "nothing".to_owned());
                (format!("{text} (thrown)"), None)
            };
            if fired {
                message = format!("it did not end within {} s, and was interrupted", span.as_secs());
            }
            let place = stack.as_deref().and_then(|stack| place(stack, name));
            format!("{}: {message}", place.as_deref().unwrap_or(name))
        }
        JsError::WouldBlock => {
            format!("{name}: a promise that nothing settles is waited for (there are no timers)")
        }
        JsError::Utf8(_) => format!("{name}: a text holds half of a surrogate pair"),
        other => format!("{name}: {other}"),
    };
    // What it left behind must not be met by the next call.
    let _ = ctx.catch();
    limit.until.set(None);
    let mut short = String::new();
    for c in text.chars().take(SHOWN) {
        let _ = write!(short, "{}", if c.is_control() { ' ' } else { c });
    }
    short
}

/// The first place within the script that a stack names: `file:line:column`.
fn place(stack: &str, name: &str) -> Option<String> {
    stack.lines().find_map(|line| {
        let at = line.find(&format!("{name}:"))?;
        let rest = line.get(at + name.len()..)?;
        let end = rest.find(|c: char| c != ':' && !c.is_ascii_digit()).unwrap_or(rest.len());
        Some(format!("{name}{}", rest.get(..end)?.trim_end_matches(':')))
    })
}

/// Fails with a message of our own, as a `TypeError` at the line that called.
pub(super) fn type_error(ctx: &Ctx<'_>, message: &str) -> JsError {
    Exception::throw_type(ctx, message)
}
