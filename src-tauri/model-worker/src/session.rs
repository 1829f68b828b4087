//! One thread carries out the requests, one after the other, and owns the model.

use std::{ffi::c_void, num::NonZeroU32, path::PathBuf};

use afterwatch_model_protocol::{
    Ask, FailureKind, Load, ModelInfo, Request, RequestId, Say, WorkerInfo,
    gguf::{self, Header},
};
use llama_cpp_2::{
    context::params::LlamaContextParams,
    llama_backend::LlamaBackend,
    model::{LlamaModel, params::LlamaModelParams},
};

use crate::{
    chat::Chat,
    inbox::{Cancelled, Inbox},
    limits, log,
    outlet::Outlet,
    prefix::PrefixCache,
};

mod choose;
mod generate;

use generate::Writer;

/// Why a request ended without what was asked for.
#[derive(Debug)]
pub enum Stop {
    Cancelled,
    Failed(FailureKind, String),
}

impl Stop {
    fn failed(kind: FailureKind, message: impl Into<String>) -> Self {
        Stop::Failed(kind, message.into())
    }

    fn say(self) -> Say {
        match self {
            Stop::Cancelled => Say::Cancelled,
            Stop::Failed(kind, message) => Say::Failed { kind, message },
        }
    }
}

/// Carries out what is asked until nobody asks any more.
pub fn serve(inbox: &Inbox, outlet: &Outlet) {
    let backend = match LlamaBackend::init() {
        Ok(backend) => backend,
        Err(error) => {
            let message = format!("llama.cpp could not be started: {error}.");
            return outlet.say(0, Say::Failed { kind: FailureKind::Other, message });
        }
    };
    let mut next = None;
    while let Some(Request { id, ask }) = next.take().or_else(|| inbox.next()) {
        let reply = match ask {
            // Ends with the request that this model cannot serve: another load.
            Ask::Load(load) => {
                next = with_model(&backend, id, &load, inbox, outlet);
                continue;
            }
            Ask::Info => Say::Info(info(None)),
            // What is not there takes no memory.
            Ask::Unload => Say::Unloaded,
            Ask::Tokenise { .. } | Ask::Generate(_) => {
                Stop::failed(FailureKind::NotLoaded, "No model is loaded.").say()
            }
            Ask::Cancel { .. } => continue,
        };
        outlet.say(id, reply);
    }
}

/// Loads a model and serves it until it is unloaded, which is answered, or another is to be loaded.
fn with_model(backend: &LlamaBackend, id: RequestId, load: &Load, inbox: &Inbox, outlet: &Outlet) -> Option<Request> {
    let cancelled = inbox.cancelled();
    let (header, model) = match read_model(backend, id, load, cancelled, outlet) {
        Ok(loaded) => loaded,
        Err(stop) => {
            outlet.say(id, stop.say());
            cancelled.forget_until(id);
            return None;
        }
    };
    let threads = i32::try_from(load.threads.clamp(1, 512)).unwrap_or(1);
    let mut params = LlamaContextParams::default()
        .with_n_ctx(NonZeroU32::new(load.context.clamp(256, header.trained_context.max(256))))
        .with_n_batch(gguf::CHUNK)
        .with_n_ubatch(gguf::CHUNK)
        .with_n_threads(threads)
        .with_n_threads_batch(threads)
        .with_no_perf(true);
    heed(&mut params, cancelled);
    let context = match model.new_context(backend, params) {
        Ok(context) => context,
        Err(_) => {
            outlet.say(id, memory(&header, load.context).say());
            return None;
        }
    };
    let described = ModelInfo {
        name: header.name.clone(),
        architecture: header.architecture.clone(),
        licence: header.licence.clone(),
        parameters: header.parameters,
        context: context.n_ctx(),
        trained_context: header.trained_context,
        size_bytes: header.size_bytes,
    };
    let cache = match (&load.prefix_cache, &load.sha256) {
        (Some(folder), Some(sha256)) => Some(PrefixCache::new(PathBuf::from(folder), sha256, context.n_ctx())),
        // Without knowing which file it is, nothing of it may be kept.
        _ => None,
    };
    let chat = Chat::new(&model, header.chat_template.as_deref());
    let mut writer = Writer::new(&model, context, chat, cache, cancelled, outlet);
    outlet.say(id, Say::Loaded(described.clone()));
    cancelled.forget_until(id);

    while let Some(request) = inbox.next() {
        let id = request.id;
        let reply = match request.ask {
            Ask::Load(_) => return Some(request),
            Ask::Unload => {
                drop(writer);
                drop(model);
                outlet.say(id, Say::Unloaded);
                return None;
            }
            Ask::Info => Say::Info(info(Some(described.clone()))),
            Ask::Tokenise { texts } => Say::Tokens { counts: writer.count(&texts) },
            Ask::Generate(ask) => match writer.generate(id, &ask) {
                Ok(generated) => Say::Generated(generated),
                Err(stop) => stop.say(),
            },
            Ask::Cancel { .. } => continue,
        };
        outlet.say(id, reply);
        cancelled.forget_until(id);
    }
    None
}

/// Judges the file and reads its weights.
fn read_model(
    backend: &LlamaBackend,
    id: RequestId,
    load: &Load,
    cancelled: &Cancelled,
    outlet: &Outlet,
) -> Result<(Header, LlamaModel), Stop> {
    if cancelled.holds(id) {
        return Err(Stop::Cancelled);
    }
    let path = PathBuf::from(&load.path);
    let header = gguf::read(&path).map_err(|unfit| Stop::failed(FailureKind::Unfit, unfit.to_string()))?;
    // A graphics driver takes far more addresses than it takes memory.
    if !cfg!(any(feature = "vulkan", feature = "metal")) {
        limits::bound_memory(header.memory_bytes(load.context.min(header.trained_context)), load.threads);
    }
    log::forget();
    let (told, heard) = (outlet.clone(), cancelled.clone());
    let mut last = -1.0;
    let params = LlamaModelParams::default()
        .with_n_gpu_layers(load.gpu_layers)
        // llama.cpp puts most weights into another order as it reads them. A mapped file would stay in memory beside.
        .with_use_mmap(false)
        .with_progress_callback(move |done| {
            if done - last >= 0.01 || done >= 1.0 {
                last = done;
                told.say(id, Say::Loading { done });
            }
            !heard.holds(id)
        });
    match LlamaModel::load_from_file(backend, &path, &params) {
        Ok(model) => Ok((header, model)),
        Err(_) if cancelled.holds(id) => Err(Stop::Cancelled),
        Err(_) if log::last().iter().any(|line| speaks_of_memory(line)) => Err(memory(&header, load.context)),
        Err(error) => {
            let why = log::last().first().cloned().unwrap_or_else(|| error.to_string());
            let message = format!(
                "llama.cpp does not take the file ({why}). It may be damaged, or newer than this version of Afterwatch: \
                 get it again, or choose another model."
            );
            Err(Stop::failed(FailureKind::Unfit, message))
        }
    }
}

/// Has llama.cpp ask after every step of a computation whether it is to go on. Only what the processor computes can be
/// stopped so.
#[allow(unsafe_code)]
fn heed(params: &mut LlamaContextParams, cancelled: &Cancelled) {
    use llama_cpp_sys_2::llama_context_params as Raw;
    // The wrapper has no function for it. It holds llama.cpp's own structure and nothing else.
    const _: () = assert!(size_of::<LlamaContextParams>() == size_of::<Raw>());
    // SAFETY: a structure of the same size as its only field begins with that.
    let raw = unsafe { &mut *(&raw mut *params).cast::<Raw>() };
    raw.abort_callback = Some(stops);
    raw.abort_callback_data = std::ptr::from_ref(cancelled).cast_mut().cast();
}

/// llama.cpp's question, from a thread that computes.
#[allow(unsafe_code)]
unsafe extern "C" fn stops(cancelled: *mut c_void) -> bool {
    // SAFETY: what `heed` gave, which outlives every context; it is only read, and may be from any thread.
    unsafe { &*cancelled.cast::<Cancelled>() }.stops_reading()
}

fn speaks_of_memory(line: &str) -> bool {
    ["alloc", "memory"].iter().any(|word| line.contains(word))
}

fn memory(header: &Header, context: u32) -> Stop {
    let gigabytes = header.memory_bytes(context) as f64 / 1e9;
    Stop::failed(
        FailureKind::Memory,
        format!(
            "There is not enough memory for the model, which needs about {gigabytes:.1} GB. Close other programs and try \
             again, or choose a smaller model."
        ),
    )
}

fn info(model: Option<ModelInfo>) -> WorkerInfo {
    WorkerInfo { version: env!("CARGO_PKG_VERSION").into(), system: system(), model, rss_bytes: limits::resident() }
}

/// What llama.cpp says of the processor's instructions it was built for.
#[allow(unsafe_code)]
fn system() -> String {
    // SAFETY: it returns a pointer to a static string that only this function writes, and only this thread calls it.
    // The wrapper crate has no function for it.
    let words = unsafe { std::ffi::CStr::from_ptr(llama_cpp_sys_2::llama_print_system_info()) };
    words.to_string_lossy().trim().to_owned()
}

#[cfg(test)]
mod tests;
