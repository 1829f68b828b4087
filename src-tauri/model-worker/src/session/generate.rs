//! Writing: the prompt is read in pieces, then token after token is chosen, held to a grammar.

use std::time::{Duration, Instant};

use afterwatch_model_protocol::{FailureKind, Generate, Generated, RequestId, Say, gguf};
use llama_cpp_2::{DecodeError, context::LlamaContext, llama_batch::LlamaBatch, model::LlamaModel, token::LlamaToken};

use super::{Stop, choose::Chooser};
use crate::{
    chat::{Chat, Prompt},
    inbox::Cancelled,
    outlet::Outlet,
    prefix::PrefixCache,
};

const CHUNK: usize = gguf::CHUNK as usize;
/// Tokens of the first piece, as long as it is not known how fast this computer reads.
const FIRST: usize = 128;
/// Tokens of a piece at least: a smaller one takes hardly less time.
const LEAST: usize = 16;
/// How many tokens llama.cpp multiplies at once on a processor (its `repack.cpp`); it takes those left over one by one.
const TILE: usize = 4;
/// How long a piece may take before the next is smaller: so often it is said how far the reading is.
const STEP: Duration = Duration::from_secs(5);

/// A loaded model with what it has read.
pub(super) struct Writer<'m> {
    model: &'m LlamaModel,
    context: LlamaContext<'m>,
    chat: Chat,
    cache: Option<PrefixCache>,
    cancelled: &'m Cancelled,
    outlet: &'m Outlet,
    batch: LlamaBatch<'static>,
    /// The tokens that the context holds, in order.
    held: Vec<LlamaToken>,
    /// Tokens of the next piece of a prompt.
    piece: usize,
}

impl<'m> Writer<'m> {
    pub(super) fn new(
        model: &'m LlamaModel,
        context: LlamaContext<'m>,
        chat: Chat,
        cache: Option<PrefixCache>,
        cancelled: &'m Cancelled,
        outlet: &'m Outlet,
    ) -> Self {
        let batch = LlamaBatch::new(CHUNK, 1);
        Self { model, context, chat, cache, cancelled, outlet, batch, held: Vec::new(), piece: FIRST }
    }

    /// How many tokens each text has, read as plain text.
    pub(super) fn count(&self, texts: &[String]) -> Vec<u32> {
        let vocab = self.model.vocab();
        texts.iter().map(|text| vocab.tokenize(text.as_bytes(), false, false).len() as u32).collect()
    }

    /// Writes what is asked for.
    pub(super) fn generate(&mut self, id: RequestId, ask: &Generate) -> Result<Generated, Stop> {
        let began = Instant::now();
        self.go_on(id)?;
        if ask.messages.is_empty() {
            return Err(Stop::failed(FailureKind::Protocol, "There is nothing to answer: no message was given."));
        }
        let prompt = self.chat.prompt(self.model, &ask.messages, ask.fixed as usize).map_err(|error| {
            Stop::failed(FailureKind::Other, format!("The model's chat template failed: {error:#}."))
        })?;
        let most = self.room(&prompt, ask.max_tokens)?;
        // The grammar is read before the prompt: it is quick, and may be wrong.
        let mut chooser = Chooser::new(self.model, ask)?;
        let cached = self.resume(&prompt);
        self.cancelled.reads_for(id);
        let read = self.read(id, &prompt, cached);
        self.cancelled.reads_for(0);
        read?;

        let vocab = self.model.vocab();
        let mut text = String::new();
        let mut decoder = encoding_rs::UTF_8.new_decoder_without_bom_handling();
        let (mut bytes, mut generated, mut first) = (Vec::new(), 0, None);
        let complete = loop {
            self.go_on(id)?;
            let token = chooser.next(&self.context)?;
            first.get_or_insert_with(|| began.elapsed());
            if vocab.is_eog(token) {
                break true;
            }
            generated += 1;
            bytes.clear();
            vocab.token_to_piece_into(token, &mut bytes, false, None);
            let start = text.len();
            decode(&mut decoder, &bytes, &mut text, false);
            if text.len() > start {
                self.outlet.say(id, Say::Piece { text: text[start..].to_owned(), tokens: generated });
            }
            if generated >= most {
                break false;
            }
            self.take_in(&[token], true)?;
        };
        let start = text.len();
        decode(&mut decoder, &[], &mut text, true);
        if text.len() > start {
            self.outlet.say(id, Say::Piece { text: text[start..].to_owned(), tokens: generated });
        }
        Ok(Generated {
            text,
            prompt_tokens: prompt.tokens.len() as u32,
            cached_tokens: cached as u32,
            generated_tokens: generated,
            first_token_ms: first.unwrap_or_default().as_millis() as u32,
            total_ms: began.elapsed().as_millis() as u32,
            complete,
        })
    }

    /// How many tokens may be written. An answer that gets less than a quarter of what it may take would mostly be cut
    /// off, which is worth less than hearing so at once.
    fn room(&self, prompt: &Prompt, wanted: u32) -> Result<u32, Stop> {
        let all = self.context.n_ctx();
        let used = prompt.tokens.len() as u32;
        let left = all.saturating_sub(used);
        if prompt.tokens.is_empty() || left == 0 || left < wanted.div_ceil(4) {
            return Err(Stop::failed(
                FailureKind::TooLong,
                format!(
                    "What there is to read takes {used} tokens, and the answer up to {wanted}; the model holds {all} at \
                     once. Ask about less, or choose a model or a setting with a larger context."
                ),
            ));
        }
        Ok(wanted.clamp(1, left))
    }

    /// Brings the context to where it holds a beginning of the prompt, and says of how many tokens. The last token is
    /// always read again: what follows is computed from it.
    fn resume(&mut self, prompt: &Prompt) -> usize {
        let last = prompt.tokens.len() - 1;
        let same = self.held.iter().zip(&prompt.tokens).take_while(|(a, b)| a == b).count().min(last);
        let fixed = &prompt.tokens[..prompt.fixed.min(last)];
        let kept = self.cache.as_ref().is_some_and(|cache| cache.holds(fixed));
        let more = kept && fixed.len() > same;
        if !more && self.cut(same) {
            return same;
        }
        self.clear();
        if kept && self.cache.as_ref().is_some_and(|cache| cache.restore(&mut self.context, fixed)) {
            self.held.extend(fixed);
        }
        self.held.len()
    }

    /// Forgets everything after so many tokens. Some networks cannot: false.
    fn cut(&mut self, keep: usize) -> bool {
        if keep == self.held.len() {
            return true;
        }
        let cut = self.context.clear_kv_cache_seq(Some(0), Some(keep as u32), None).unwrap_or(false);
        if cut {
            self.held.truncate(keep);
        }
        cut
    }

    /// Forgets what was begun after the tokens that are held. Some networks cannot, and forget everything.
    fn forget_rest(&mut self) {
        let from = Some(self.held.len() as u32);
        if !self.context.clear_kv_cache_seq(Some(0), from, None).unwrap_or(false) {
            self.clear();
        }
    }

    fn clear(&mut self) {
        self.context.clear_kv_cache();
        self.held.clear();
    }

    /// Reads the prompt from there on, and keeps what was read of its fixed beginning.
    fn read(&mut self, id: RequestId, prompt: &Prompt, from: usize) -> Result<(), Stop> {
        let all = prompt.tokens.len();
        let mut at = from;
        while at < all {
            self.go_on(id)?;
            self.outlet.say(id, Say::Reading { done: at as u32, all: all as u32 });
            // A piece ends where the fixed part does, so that exactly that can be kept.
            let end = if at < prompt.fixed && self.cache.is_some() { prompt.fixed } else { all };
            let to = at + portion(end - at, self.piece);
            let began = Instant::now();
            self.take_in(&prompt.tokens[at..to], to == all)?;
            self.piece = next(self.piece, to - at, began.elapsed());
            at = to;
            if at == prompt.fixed
                && let Some(cache) = &self.cache
            {
                cache.keep(&self.context, &self.held);
            }
        }
        self.outlet.say(id, Say::Reading { done: all as u32, all: all as u32 });
        Ok(())
    }

    /// Computes some more tokens, at most a chunk; with `choose`, what follows the last of them.
    fn take_in(&mut self, tokens: &[LlamaToken], choose: bool) -> Result<(), Stop> {
        self.batch.clear();
        for (n, token) in tokens.iter().enumerate() {
            let position = i32::try_from(self.held.len() + n).unwrap_or(i32::MAX);
            self.batch
                .add(*token, position, &[0], choose && n + 1 == tokens.len())
                .map_err(|error| Stop::failed(FailureKind::Other, format!("The prompt could not be read: {error}.")))?;
        }
        let done = self.context.decode(&mut self.batch);
        if let Err(error) = done {
            if self.cancelled.stops_reading() {
                self.forget_rest();
                return Err(Stop::Cancelled);
            }
            // What the context holds now is not known.
            self.clear();
            return Err(match error {
                DecodeError::NoKvCacheSlot => Stop::failed(
                    FailureKind::TooLong,
                    "The model's context is full. Ask about less, or choose a model with a larger context.",
                ),
                error => Stop::failed(FailureKind::Other, format!("The model could not compute on: {error}.")),
            });
        }
        self.held.extend(tokens);
        Ok(())
    }

    fn go_on(&self, id: RequestId) -> Result<(), Stop> {
        if self.cancelled.holds(id) { Err(Stop::Cancelled) } else { Ok(()) }
    }
}

/// How many of so many tokens are read at once, in as many pieces as it takes: a few that are left over would take
/// hardly less time than a whole piece. Each but the last is of whole [`TILE`]s.
fn portion(left: usize, piece: usize) -> usize {
    let even = left.div_ceil(left.div_ceil(piece).max(1));
    even.next_multiple_of(TILE).min(piece).min(left)
}

/// How many tokens the next piece has, by how long the last one took of so many. A short piece takes longer for each of
/// its tokens than a whole one: it may say that there is time for more, not that there is too little.
fn next(piece: usize, read: usize, took: Duration) -> usize {
    let as_long = |tokens: usize| took.mul_f64(tokens as f64 / read.max(1) as f64);
    if took > STEP || read * 2 >= piece && as_long(piece) > STEP {
        (piece / 2).max(LEAST)
    } else if as_long(piece * 2) <= STEP {
        (piece * 2).min(CHUNK)
    } else {
        piece
    }
}

/// Appends bytes as text. A character may come in several tokens; what is none becomes a replacement character.
fn decode(decoder: &mut encoding_rs::Decoder, bytes: &[u8], into: &mut String, last: bool) {
    into.reserve(decoder.max_utf8_buffer_length(bytes.len()).unwrap_or(bytes.len() * 3 + 3));
    let _ = decoder.decode_to_string(bytes, into, last);
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use llama_cpp_2::context::params::LlamaContextParams;

    use super::{
        super::{
            heed,
            tests::{TINY, fixture_template},
        },
        *,
    };

    #[test]
    fn a_piece_takes_about_as_long_on_every_computer() {
        // Tokens a second, and what of it fits into five seconds.
        for (speed, least, most) in [(2.0, LEAST, LEAST), (25.0, 63, 125), (60.0, 150, 300), (9000.0, CHUNK, CHUNK)] {
            let mut piece = FIRST;
            for _ in 0..20 {
                piece = next(piece, piece, Duration::from_secs_f64(piece as f64 / speed));
            }
            assert!((least..=most).contains(&piece), "{piece} at {speed} tokens a second");
        }
        // A short piece may be slow for being short: it says when there is time for more, and when it took too long itself.
        assert_eq!(next(512, 17, Duration::from_millis(260)), 512);
        assert_eq!(next(128, 8, Duration::from_millis(100)), 256);
        assert_eq!(next(128, 8, Duration::from_millis(5_100)), 64);
    }

    #[test]
    fn no_piece_is_much_smaller_than_the_others() {
        for (all, piece, want) in
            [(525, 512, vec![264, 261]), (512, 512, vec![512]), (9, 512, vec![9]), (100, 32, vec![28, 24, 24, 24])]
        {
            let (mut left, mut pieces) = (all, Vec::new());
            while left > 0 {
                pieces.push(portion(left, piece));
                left -= pieces.last().unwrap();
            }
            assert_eq!(pieces, want);
        }
    }

    #[test]
    fn a_cancel_is_heard_within_a_piece_and_what_was_read_before_stays() {
        let cancelled = Cancelled::default();
        let outlet = Outlet::new();
        let mut params = LlamaContextParams::default().with_n_ctx(NonZeroU32::new(512));
        heed(&mut params, &cancelled);
        let context = TINY.model.new_context(&TINY.backend, params).unwrap();
        let chat = Chat::new(&TINY.model, Some(&fixture_template()));
        let mut writer = Writer::new(&TINY.model, context, chat, None, &cancelled, &outlet);
        let tokens = TINY.model.vocab().tokenize(b"The limit is 64Mi and the program takes more of it.", false, false);
        let (before, after) = tokens.split_at(tokens.len() / 2);
        writer.take_in(before, false).unwrap();

        cancelled.cancel(7);
        cancelled.reads_for(7);
        assert!(matches!(writer.take_in(after, true), Err(Stop::Cancelled)));
        assert_eq!(writer.held, before);
        // Another request is not stopped, and goes on where that one was.
        cancelled.reads_for(8);
        writer.take_in(after, true).unwrap();
        assert_eq!(writer.held, tokens);
        let resumed = writer.context.get_logits_ith(after.len() as i32 - 1).to_vec();
        writer.clear();
        writer.take_in(before, false).unwrap();
        writer.take_in(after, true).unwrap();
        assert_eq!(resumed, writer.context.get_logits_ith(after.len() as i32 - 1));
    }
}
