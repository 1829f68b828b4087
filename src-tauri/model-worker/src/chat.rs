//! A conversation becomes tokens.
//!
//! The model's own template says how turns are marked, and its marks are control tokens. Whatever was said is ordinary
//! text: the template is given a placeholder for each message, and the text is tokenised by itself, without control
//! tokens, where the placeholder stands. So a log line that holds `<|im_end|>` ends no turn.

use afterwatch_model_protocol::{Message, Role};
use llama_cpp_2::{model::LlamaModel, token::LlamaToken};
use minijinja::{Environment, Error, ErrorKind, context, syntax::SyntaxConfig, value::Value};

/// Steps a template may take; real ones take some hundreds per message.
const FUEL: u64 = 2_000_000;
/// Bytes a template may write around the messages.
const LONGEST_FRAME: usize = 256 << 10;
/// What is used where a model brings no template, or one that cannot be used.
const CHATML: &str = "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}\
                      {{ '<|im_start|>assistant\n' }}";

/// How a model is spoken to.
pub struct Chat {
    template: String,
    bos: String,
    eos: String,
}

/// A prompt in tokens.
#[derive(Debug, PartialEq)]
pub struct Prompt {
    pub tokens: Vec<LlamaToken>,
    /// How many, from the first, are the same for every prompt that begins with the same fixed messages.
    pub fixed: usize,
}

/// A piece of a prompt.
#[derive(Debug, PartialEq)]
enum Piece<'a> {
    /// Written by the template; control tokens are meant.
    Frame(&'a str),
    /// The text of that message.
    Text(usize),
}

impl Chat {
    /// By the model's template, where it has one that works.
    pub fn new(model: &LlamaModel, template: Option<&str>) -> Self {
        let vocab = model.vocab();
        let word = |token: LlamaToken| {
            let known = (0..vocab.n_tokens()).contains(&token.0);
            known.then(|| String::from_utf8_lossy(&vocab.token_to_piece(token, true, None)).into_owned())
        };
        let mut chat = Chat {
            template: CHATML.to_owned(),
            bos: word(vocab.bos()).unwrap_or_default(),
            eos: word(vocab.eos()).unwrap_or_default(),
        };
        if let Some(template) = template {
            let own = Chat { template: template.to_owned(), bos: chat.bos.clone(), eos: chat.eos.clone() };
            // A template is tried once, so that one that fails is known before anybody waits for an answer.
            let probe = [Role::System, Role::User].map(|role| Message { role, text: "x".into() });
            match own.frame(&probe) {
                Ok(_) => chat = own,
                Err(error) => tracing::warn!("the model's chat template cannot be used, ChatML is: {error:#}"),
            }
        }
        chat
    }

    /// The prompt for these messages, of which the first `fixed` are the same each time.
    ///
    /// # Errors
    /// When the template cannot carry these messages.
    pub fn prompt(&self, model: &LlamaModel, messages: &[Message], fixed: usize) -> Result<Prompt, Error> {
        let frame = self.frame(messages)?;
        let pieces = pieces(&frame, messages.len())?;
        let vocab = model.vocab();
        let mut tokens = Vec::new();
        let (mut until, mut next) = (0, 0);
        for piece in pieces {
            match piece {
                Piece::Frame(text) => tokens.extend(vocab.tokenize(text.as_bytes(), false, true)),
                Piece::Text(message) => {
                    tokens.extend(vocab.tokenize(messages[message].text.trim().as_bytes(), false, false));
                    // A template may put messages into another order; then nothing is known to be fixed.
                    next = if message == next { next + 1 } else { usize::MAX };
                    if next == fixed {
                        until = tokens.len();
                    }
                }
            }
        }
        if vocab.should_add_bos() && tokens.first() != Some(&vocab.bos()) {
            tokens.insert(0, vocab.bos());
            until += usize::from(until > 0);
        }
        Ok(Prompt { tokens, fixed: until })
    }

    /// What the template makes of the messages, with a placeholder for each text.
    fn frame(&self, messages: &[Message]) -> Result<String, Error> {
        let mut jinja = Environment::new();
        jinja.set_syntax(SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build()?);
        jinja.set_fuel(Some(FUEL));
        jinja.set_unknown_method_callback(minijinja_contrib::pycompat::unknown_method_callback);
        jinja.add_function("raise_exception", |why: String| -> Result<Value, Error> {
            Err(Error::new(ErrorKind::InvalidOperation, why))
        });
        let said = messages
            .iter()
            .enumerate()
            .map(|(n, message)| {
                let role = match message.role {
                    Role::System => "system",
                    Role::User => "user",
                    Role::Assistant => "assistant",
                };
                context! { role => role, content => placeholder(n) }
            })
            .collect::<Vec<_>>();
        // Thinking aloud is switched off where a template knows it: only the answer is wanted. `strftime_now` is left
        // undefined on purpose: templates ask whether it is there, and a date would make every day's prompt another.
        let render = |messages: &[Value]| {
            let frame = jinja.render_str(
                &self.template,
                context! {
                    messages => messages, add_generation_prompt => true, enable_thinking => false,
                    bos_token => self.bos.as_str(), eos_token => self.eos.as_str(),
                },
            )?;
            match frame.len() {
                ..LONGEST_FRAME => Ok(frame),
                _ => Err(Error::new(ErrorKind::InvalidOperation, "the chat template writes too much")),
            }
        };
        let frame = render(&said)?;
        pieces(&frame, messages.len())?;
        Ok(frame)
    }
}

/// Stands for a message's text. The characters are from a private range, so that no template means them.
fn placeholder(message: usize) -> String {
    format!("\u{f8f0}{message}\u{f8f1}")
}

/// Splits what a template wrote at the placeholders; each must be there once.
fn pieces(frame: &str, messages: usize) -> Result<Vec<Piece<'_>>, Error> {
    let odd = |what: &str| Error::new(ErrorKind::InvalidOperation, format!("the chat template {what}"));
    let mut out = Vec::new();
    let mut seen = vec![false; messages];
    let mut rest = frame;
    while let Some((before, after)) = rest.split_once('\u{f8f0}') {
        if !before.is_empty() {
            out.push(Piece::Frame(before));
        }
        let (number, after) = after.split_once('\u{f8f1}').ok_or_else(|| odd("cuts messages"))?;
        let message = number.parse::<usize>().map_err(|_| odd("changes messages"))?;
        match seen.get_mut(message) {
            Some(seen) if !*seen => *seen = true,
            _ => return Err(odd("repeats messages")),
        }
        out.push(Piece::Text(message));
        rest = after;
    }
    if !rest.is_empty() {
        out.push(Piece::Frame(rest));
    }
    if seen.contains(&false) { Err(odd("leaves messages out")) } else { Ok(out) }
}
