//! What is sent: the fullest form first, a simpler one where a server refuses it.

use afterwatch_model_protocol::Role;
use serde_json::{Value, json};

use crate::generator::Prompt;

/// How much of the protocol a server understands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// A JSON schema, and what llama-server and vLLM know beyond OpenAI: no thinking aloud, word on the prompt.
    Extended,
    Schema,
    /// Some JSON; the schema is told in words.
    Object,
    /// Nothing but words.
    Plain,
}

impl Form {
    const ALL: [Form; 4] = [Form::Extended, Form::Schema, Form::Object, Form::Plain];

    pub(super) fn number(self) -> u8 {
        Form::ALL.iter().position(|f| *f == self).unwrap_or_default() as u8
    }

    pub(super) fn of(number: u8) -> Form {
        Form::ALL.get(usize::from(number)).copied().unwrap_or(Form::Plain)
    }

    pub(super) fn simpler(self) -> Option<Form> {
        Form::ALL.get(usize::from(self.number()) + 1).copied()
    }
}

/// The request's body.
pub(super) fn body(prompt: &Prompt, model: &str, form: Form) -> Value {
    let mut messages: Vec<Value> =
        prompt.messages.iter().map(|m| json!({"role": role(m.role), "content": m.text})).collect();
    if matches!(form, Form::Object | Form::Plain) {
        tell_schema(&mut messages, &prompt.schema);
    }
    let mut body = json!({
        "model": model,
        "messages": messages,
        "max_tokens": prompt.max_tokens,
        "temperature": prompt.temperature,
        "stream": true,
    });
    if form != Form::Plain {
        body["seed"] = json!(prompt.seed);
        body["stream_options"] = json!({"include_usage": true});
    }
    match form {
        Form::Extended | Form::Schema => {
            body["response_format"] = json!({
                "type": "json_schema",
                "json_schema": {"name": "answer", "strict": true, "schema": prompt.schema},
            });
        }
        Form::Object => body["response_format"] = json!({"type": "json_object"}),
        Form::Plain => {}
    }
    if form == Form::Extended {
        body["chat_template_kwargs"] = json!({"enable_thinking": false});
        body["return_progress"] = json!(true);
        body["cache_prompt"] = json!(true);
    }
    body
}

/// Puts the schema into words, at the end of what the server's model is told first: some templates take one system
/// message only, and only as the first.
fn tell_schema(messages: &mut Vec<Value>, schema: &Value) {
    let told = format!(
        "Answer with one JSON object and nothing else: no Markdown, no explanation. It must fit this JSON Schema:\n{schema}"
    );
    match messages.iter_mut().find(|m| m["role"] == "system") {
        Some(system) => {
            let text = system["content"].as_str().unwrap_or_default();
            system["content"] = json!(format!("{text}\n\n{told}"));
        }
        None => messages.insert(0, json!({"role": "system", "content": told})),
    }
}

fn role(role: Role) -> &'static str {
    match role {
        Role::System => "system",
        Role::User => "user",
        Role::Assistant => "assistant",
    }
}
