//! Chooses the next token, held to a grammar.
//!
//! Asking a grammar about every token of a large vocabulary takes longer than computing the next one. So it is asked
//! about the token that would be chosen anyway; only when that may not come, about the likeliest ones, and only when
//! none of those may either, about all.

use afterwatch_model_protocol::{FailureKind, Generate};
use llama_cpp_2::{
    context::LlamaContext,
    model::LlamaModel,
    sampling::LlamaSampler,
    token::{LlamaToken, data::LlamaTokenData, data_array::LlamaTokenDataArray},
};

use super::Stop;

/// Bytes of a grammar; one made for an incident is some kilobytes long.
const LONGEST_GRAMMAR: usize = 1 << 20;
/// How many of the likeliest tokens a grammar is asked about before it is asked about all.
const LIKELIEST: usize = 512;
/// Among how many of the likeliest tokens is chosen.
const AMONG: usize = 40;

pub(super) struct Chooser {
    grammar: Option<LlamaSampler>,
    taste: LlamaSampler,
}

impl Chooser {
    pub(super) fn new(model: &LlamaModel, ask: &Generate) -> Result<Self, Stop> {
        let grammar = match &ask.grammar {
            None => None,
            Some(grammar) => Some(
                (grammar.len() <= LONGEST_GRAMMAR)
                    .then(|| LlamaSampler::grammar(model, grammar, "root").ok())
                    .flatten()
                    .ok_or_else(|| grammar_fails("cannot be used"))?,
            ),
        };
        let taste = if ask.temperature > 0.0 {
            LlamaSampler::chain_simple([
                LlamaSampler::top_k(AMONG as i32),
                LlamaSampler::top_p(0.95, 1),
                LlamaSampler::min_p(0.05, 1),
                LlamaSampler::temp(ask.temperature),
                LlamaSampler::dist(ask.seed),
            ])
        } else {
            LlamaSampler::chain_simple([LlamaSampler::greedy()])
        };
        Ok(Self { grammar, taste })
    }

    /// The token that follows what the context has read.
    pub(super) fn next(&mut self, context: &LlamaContext<'_>) -> Result<LlamaToken, Stop> {
        let logits = context.get_logits_ith(-1);
        let Self { grammar, taste } = self;
        let wish = choose(taste, likeliest(logits, AMONG));
        let Some(grammar) = grammar else { return wish.ok_or_else(nothing) };
        let token = match wish.filter(|wish| !may(grammar, vec![LlamaTokenData::new(*wish, 1.0, 0.0)]).is_empty()) {
            Some(wish) => wish,
            None => {
                let mut among = may(grammar, likeliest(logits, LIKELIEST));
                if among.is_empty() {
                    among = may(grammar, likeliest(logits, logits.len()));
                }
                if among.is_empty() {
                    return Err(grammar_fails("allows nothing that could follow"));
                }
                choose(taste, among).ok_or_else(|| grammar_fails("left nothing to choose"))?
            }
        };
        // Once for each token, or the grammar is left without a state and ends the process.
        grammar.try_accept(token).map_err(|_| grammar_fails("does not take the token it allowed"))?;
        Ok(token)
    }
}

/// One of these, the likeliest of which comes first.
fn choose(taste: &mut LlamaSampler, tokens: Vec<LlamaTokenData>) -> Option<LlamaToken> {
    if tokens.is_empty() {
        return None;
    }
    let mut among = LlamaTokenDataArray::new(tokens, true);
    taste.apply(&mut among);
    among.selected_token()
}

/// Those of the tokens that the grammar lets follow, in their order.
fn may(grammar: &mut LlamaSampler, tokens: Vec<LlamaTokenData>) -> Vec<LlamaTokenData> {
    let mut tokens = LlamaTokenDataArray::new(tokens, true);
    grammar.apply(&mut tokens);
    tokens.data.retain(|token| token.logit() > f32::NEG_INFINITY);
    tokens.data
}

/// So many of the likeliest tokens, the likeliest first. llama.cpp's own way lists the whole vocabulary for each token,
/// which takes several percent of the time in which a small model computes the next.
fn likeliest(logits: &[f32], count: usize) -> Vec<LlamaTokenData> {
    let by_logit =
        |a: &LlamaTokenData, b: &LlamaTokenData| b.logit().total_cmp(&a.logit()).then(a.id().0.cmp(&b.id().0));
    let room = count.saturating_mul(4).min(logits.len()).max(1);
    let mut best: Vec<LlamaTokenData> = Vec::with_capacity(room);
    let mut least = f32::NEG_INFINITY;
    for (id, logit) in logits.iter().enumerate() {
        // What is no number is never chosen.
        if *logit > least {
            if best.len() == room && count < room {
                best.select_nth_unstable_by(count, by_logit);
                best.truncate(count);
                least = best.iter().map(LlamaTokenData::logit).fold(f32::INFINITY, f32::min);
                if *logit <= least {
                    continue;
                }
            }
            best.push(LlamaTokenData::new(LlamaToken(id as i32), *logit, 0.0));
        }
    }
    best.sort_unstable_by(by_logit);
    best.truncate(count);
    best
}

fn nothing() -> Stop {
    let message = "The model computed nothing that can be chosen: its file may be damaged. Get it again, or choose \
                   another model.";
    Stop::failed(FailureKind::Unfit, message)
}

fn grammar_fails(how: &str) -> Stop {
    Stop::failed(FailureKind::Grammar, format!("The grammar for the answer {how}; this is a fault of Afterwatch."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_likeliest_tokens_are_those_of_the_whole_vocabulary() {
        let mut seed = 7u32;
        let mut random = || {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (seed >> 8) as f32 / 1e6
        };
        for size in [1, 39, 40, 41, 159, 160, 161, 5_000] {
            for rising in [false, true] {
                let mut logits: Vec<f32> = (0..size).map(|_| random()).collect();
                if rising {
                    logits.sort_by(f32::total_cmp);
                }
                let mut all: Vec<f32> = logits.clone();
                all.sort_by(|a, b| b.total_cmp(a));
                let best = likeliest(&logits, AMONG);
                assert!(best.iter().all(|t| logits[t.id().0 as usize] == t.logit()));
                let best: Vec<f32> = best.iter().map(LlamaTokenData::logit).collect();
                assert_eq!(best, all[..size.min(AMONG)], "{size} {rising}");
            }
        }
        // What is no number, and what may not come, is not among them.
        let odd = [f32::NAN, 1.0, f32::NEG_INFINITY, f32::NAN, 2.0];
        assert_eq!(likeliest(&odd, 3).iter().map(|t| t.id().0).collect::<Vec<_>>(), [4, 1]);
        assert!(likeliest(&[f32::NAN; 9], 3).is_empty());
    }
}
