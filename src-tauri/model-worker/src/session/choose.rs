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
/// How many tokens are the likeliest ones: more than are ever chosen among.
const LIKELIEST: usize = 512;
const AMONG: i32 = 40;

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
                LlamaSampler::top_k(AMONG),
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
        let wish = self.taste.sample(context, -1);
        let Some(grammar) = &mut self.grammar else { return Ok(wish) };
        let mut wished = LlamaTokenDataArray::new(vec![LlamaTokenData::new(wish, 1.0, 0.0)], false);
        grammar.apply(&mut wished);
        let token = if wished.data.iter().any(allowed) {
            wish
        } else {
            let mut all = context.token_data_array_ith(-1);
            let mut likeliest = likeliest(&mut all);
            grammar.apply(&mut likeliest);
            let mut among = if likeliest.data.iter().any(allowed) {
                likeliest
            } else {
                grammar.apply(&mut all);
                all
            };
            among.data.retain(allowed);
            if among.data.is_empty() {
                return Err(grammar_fails("allows nothing that could follow"));
            }
            self.taste.apply(&mut among);
            among.selected_token().ok_or_else(|| grammar_fails("left nothing to choose"))?
        };
        // Once for each token, or the grammar is left without a state and ends the process.
        grammar.try_accept(token).map_err(|_| grammar_fails("does not take the token it allowed"))?;
        Ok(token)
    }
}

fn allowed(token: &LlamaTokenData) -> bool {
    token.logit() > f32::NEG_INFINITY
}

/// The likeliest tokens; the others stay in `all`, which is only put into another order.
fn likeliest(all: &mut LlamaTokenDataArray) -> LlamaTokenDataArray {
    if all.data.len() > LIKELIEST {
        all.data.select_nth_unstable_by(LIKELIEST, |a, b| b.logit().total_cmp(&a.logit()));
    }
    let count = all.data.len().min(LIKELIEST);
    LlamaTokenDataArray::new(all.data[..count].to_vec(), false)
}

fn grammar_fails(how: &str) -> Stop {
    Stop::failed(FailureKind::Grammar, format!("The grammar for the answer {how}; this is a fault of Afterwatch."))
}
