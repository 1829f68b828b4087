//! From the API server's JSON to core's objects, leniently: what does not decode costs only itself.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
};

use afterwatch_core::{
    object::{ConfigMap, Kind, Meta, Object, Secret, ValueDigest},
    redact,
};
use serde::{Deserialize, de::IgnoredAny};
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

/// One page of a list; the items are still text.
#[derive(Deserialize)]
pub(crate) struct Page<'a> {
    #[serde(default)]
    pub metadata: PageMeta,
    #[serde(borrow)]
    pub items: Option<Vec<&'a RawValue>>,
    #[serde(default)]
    kind: String,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct PageMeta {
    pub resource_version: String,
    #[serde(rename = "continue")]
    pub next: Option<String>,
}

/// One line of a watch.
#[derive(Deserialize)]
pub(crate) struct Change<'a> {
    #[serde(rename = "type", borrow)]
    pub kind: Cow<'a, str>,
    #[serde(borrow)]
    pub object: &'a RawValue,
}

/// The part of any object, bookmark or status a watch needs even when the rest does not decode.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Outline {
    pub metadata: OutlineMeta,
    pub code: u16,
    pub message: String,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct OutlineMeta {
    pub uid: String,
    pub name: String,
    pub namespace: Option<String>,
    pub resource_version: String,
}

/// An object that could not be decoded.
#[derive(Debug)]
pub(crate) struct Skip {
    pub message: String,
}

/// Reads a page.
///
/// # Errors
/// When the answer is no list at all, in words.
pub(crate) fn page(body: &[u8]) -> Result<Page<'_>, String> {
    let page: Page<'_> = serde_json::from_slice(body).map_err(|e| {
        let start = body.iter().find(|b| !b.is_ascii_whitespace());
        match start {
            None => "the answer is empty".to_owned(),
            Some(b'<') => "the answer is a web page".to_owned(),
            Some(_) => format!("the answer is not a list ({:?} error at column {})", e.classify(), e.column()),
        }
    })?;
    if page.items.is_none() && !page.kind.ends_with("List") {
        return Err("the answer is not a list".to_owned());
    }
    Ok(page)
}

/// The outline of an object; defaults where even that cannot be read.
pub(crate) fn outline(raw: &RawValue) -> Outline {
    serde_json::from_str(raw.get()).unwrap_or_default()
}

/// Decodes, trims and redacts one object.
///
/// # Errors
/// When a field that is read has an unexpected type: which object, and what about it.
pub(crate) fn object(kind: Kind, raw: &RawValue, salt: &[u8; 16]) -> Result<Object, Skip> {
    let mut object = decode(kind, raw.get(), salt)
        .or_else(|error| without_nulls(kind, raw.get(), salt).ok_or(error))
        .map_err(|error| {
        let meta = outline(raw).metadata;
        let name = match (&meta.namespace, meta.name.as_str()) {
            (_, "") => "an object without a name".to_owned(),
            (Some(namespace), name) => format!("{namespace}/{name}"),
            (None, name) => name.to_owned(),
        };
        // The parser quotes values; they may be anything.
        let words: String = error.to_string().split('"').step_by(2).collect::<Vec<_>>().join("…");
        Skip { message: format!("{kind} {name}: {words}") }
    })?;
    if object.meta().name.is_empty() {
        return Err(Skip { message: format!("{kind}: an object without a name") });
    }
    match kind {
        _ if !kind.keeps_managers() => object.meta_mut().managed_fields = Vec::new(),
        // Their status is written all the time, and only says that they live.
        Kind::Node | Kind::Namespace => object.meta_mut().managed_fields.retain(|f| f.subresource.is_none()),
        _ => {}
    }
    redact::object(&mut object);
    Ok(object)
}

/// The same for an object of an extension's kind, of which no field has a shape that is not expected; none where it is
/// no object with a name.
pub(crate) fn custom(api_version: &str, kind: &str, resource: &str, raw: &RawValue) -> Option<Object> {
    let json = raw.get();
    let mut object = decode(Kind::CustomResource, json, &[0; 16])
        .ok()
        .or_else(|| without_nulls(Kind::CustomResource, json, &[0; 16]))?;
    if let Object::CustomResource(o) = &mut object {
        (o.api_version, o.kind, o.resource) = (api_version.to_owned(), kind.to_owned(), resource.to_owned());
    }
    redact::object(&mut object);
    Some(object).filter(|o| !o.meta().name.is_empty())
}

/// What is left of an object whose deletion was told but which does not decode: enough to forget it.
pub(crate) fn remains(kind: Kind, raw: &RawValue) -> Option<Object> {
    #[derive(Deserialize)]
    struct Only {
        metadata: Meta,
    }
    let only: Only = serde_json::from_str(raw.get()).ok()?;
    let mut object = Object::from_value(kind, serde_json::json!({"metadata": {"name": only.metadata.name}})).ok()?;
    *object.meta_mut() = only.metadata;
    redact::object(&mut object);
    Some(object)
}

fn decode(kind: Kind, json: &str, salt: &[u8; 16]) -> Result<Object, serde_json::Error> {
    match kind {
        Kind::ConfigMap => config_map(json, salt).map(Object::ConfigMap),
        Kind::Secret => secret(json).map(Object::Secret),
        _ => Object::from_json(kind, json),
    }
}

/// The API writes `null` for some empty lists and maps. Slow, and therefore only tried when the plain way failed.
fn without_nulls(kind: Kind, json: &str, salt: &[u8; 16]) -> Option<Object> {
    fn strip(value: &mut serde_json::Value) {
        match value {
            serde_json::Value::Object(fields) => {
                fields.retain(|_, v| !v.is_null());
                fields.values_mut().for_each(strip);
            }
            serde_json::Value::Array(items) => items.iter_mut().for_each(strip),
            _ => {}
        }
    }
    let mut value: serde_json::Value = serde_json::from_str(json).ok()?;
    strip(&mut value);
    decode(kind, &value.to_string(), salt).ok()
}

/// A ConfigMap whose values are hashed while they are read and go no further.
fn config_map(json: &str, salt: &[u8; 16]) -> Result<ConfigMap, serde_json::Error> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase", default)]
    #[derive(Default)]
    struct Wire<'a> {
        metadata: Meta,
        #[serde(borrow)]
        data: Option<BTreeMap<String, Option<Cow<'a, str>>>>,
        #[serde(borrow)]
        binary_data: Option<BTreeMap<String, Option<Cow<'a, str>>>>,
        immutable: Option<bool>,
    }
    let wire: Wire<'_> = serde_json::from_str(json)?;
    let mut digests = BTreeMap::new();
    for (key, value) in wire.data.into_iter().flatten() {
        let value = value.unwrap_or_default();
        digests.insert(key.clone(), digest(salt, &key, value.as_bytes(), value.len()));
    }
    for (key, value) in wire.binary_data.into_iter().flatten() {
        let value = value.unwrap_or_default();
        // Base64, always padded by the server: the length of what it stands for.
        let padding = value.bytes().rev().take_while(|b| *b == b'=').count();
        digests
            .insert(key.clone(), digest(salt, &key, value.as_bytes(), (value.len() / 4 * 3).saturating_sub(padding)));
    }
    Ok(ConfigMap { metadata: wire.metadata, digests, immutable: wire.immutable.unwrap_or(false) })
}

/// A Secret, whose metadata says which keys were written and by whom.
fn secret(json: &str) -> Result<Secret, serde_json::Error> {
    #[derive(Deserialize)]
    struct Wire {
        metadata: Written,
    }
    #[derive(Deserialize)]
    struct Written {
        #[serde(rename = "managedFields", default)]
        managed: Vec<Entry>,
    }
    #[derive(Deserialize)]
    struct Entry {
        #[serde(rename = "fieldsV1")]
        fields: Option<Fields>,
    }
    #[derive(Deserialize)]
    struct Fields {
        #[serde(rename = "f:data", default)]
        data: BTreeMap<String, IgnoredAny>,
        #[serde(rename = "f:stringData", default)]
        text: BTreeMap<String, IgnoredAny>,
    }
    #[derive(Deserialize)]
    struct Bare {
        metadata: Meta,
    }
    let metadata = serde_json::from_str::<Bare>(json)?.metadata;
    let entries = serde_json::from_str::<Wire>(json).map(|w| w.metadata.managed).unwrap_or_default();
    let mut keys: Option<BTreeSet<String>> = None;
    for fields in entries.into_iter().filter_map(|e| e.fields) {
        let names = fields.data.into_keys().chain(fields.text.into_keys());
        keys.get_or_insert_default().extend(names.filter_map(|n| n.strip_prefix("f:").map(str::to_owned)));
    }
    Ok(Secret { metadata, keys })
}

fn digest(salt: &[u8; 16], key: &str, value: &[u8], bytes: usize) -> ValueDigest {
    let mut hasher = Sha256::new();
    hasher.update(salt);
    hasher.update(key.as_bytes());
    hasher.update(value);
    let hash = hasher.finalize();
    let hash = hash.iter().take(8).fold(String::with_capacity(16), |mut out, b| {
        use std::fmt::Write;
        let _ = write!(out, "{b:02x}");
        out
    });
    ValueDigest { hash, bytes: bytes as u64 }
}
