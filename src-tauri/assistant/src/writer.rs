//! The assistant as the rest of the product knows it: core's port `Model` over rules and, where one is chosen, a model.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use afterwatch_core::{
    port::{
        BoxFuture, Model, ModelError,
        model::{ModelPhase, ModelState, Progress, Step},
    },
    writing::{Author, By, Case, Figures, Standing, Statement, Task, Writing},
};

use crate::{
    check::Checker,
    exam::Verdict,
    generator::{Generated, Generator, Heard},
    pack::{self, Pack},
    parse::{self, Words},
    plain, prompt,
    record::offered,
};

/// Tokens of evidence that are read, at most: more takes a laptop's processor too long.
const PACK: u32 = 1600;
/// Tokens of evidence without which there is nothing to write from.
const LEAST: u32 = 300;
/// Tokens for what a template puts around messages.
const TEMPLATE: u32 = 64;

/// The model that was chosen, ready to be asked.
#[derive(Clone)]
pub struct ModelInUse {
    pub name: String,
    /// The address where it is a server of the user's.
    pub server: Option<String>,
    pub generator: Arc<dyn Generator>,
    /// What its exam said; `None`: it was never tried.
    pub verdict: Option<Verdict>,
}

/// Writes by rules and, where one is chosen, with a model. What is written is always checked.
#[derive(Default)]
pub struct Assistant {
    model: RwLock<Option<Arc<ModelInUse>>>,
    now: Mutex<Now>,
}

#[derive(Clone, Debug, Default)]
struct Now {
    phase: ModelPhase,
    problem: Option<String>,
    /// Tasks under way.
    busy: u32,
}

impl Assistant {
    /// With the model that is chosen, or with none.
    pub fn new(model: Option<ModelInUse>) -> Assistant {
        let assistant = Assistant::default();
        assistant.choose(model);
        assistant
    }

    /// From now on this model writes, or none. What is being written goes on with the one it began with.
    pub fn choose(&self, model: Option<ModelInUse>) {
        let phase = if model.is_some() { ModelPhase::Idle } else { ModelPhase::None };
        *self.model.write().unwrap_or_else(PoisonError::into_inner) = model.map(Arc::new);
        let mut now = self.now();
        (now.phase, now.problem) = (phase, None);
    }

    /// The chosen model turned out so: it gave its memory back, it cannot be used.
    pub fn note(&self, phase: ModelPhase, problem: Option<String>) {
        let mut now = self.now();
        (now.phase, now.problem) = (phase, problem);
    }

    fn now(&self) -> MutexGuard<'_, Now> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn model(&self) -> Option<Arc<ModelInUse>> {
        self.model.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn with_model(
        &self,
        model: &ModelInUse,
        case: &Case,
        task: Task,
        progress: &dyn Progress,
    ) -> Result<Writing, ModelError> {
        let busy = Busy::begin(self);
        let hear = |heard: Heard| {
            busy.heard(&heard);
            match heard {
                Heard::Loading(done) => progress.step(Step::Loading(done)),
                Heard::Waiting => progress.step(Step::Waiting),
                Heard::Reading { .. } | Heard::Piece { .. } => {}
            }
        };
        match draft(&*model.generator, case, &task, &hear, progress).await {
            Ok(drafted) => {
                busy.end(None);
                Ok(finish(model, case, &task, drafted))
            }
            Err(Unwritten::Before(message)) => {
                busy.end(Some(message.clone()));
                Ok(instead(case, &task, message))
            }
            Err(Unwritten::Unfit(message)) => {
                busy.end(None);
                Ok(instead(case, &task, message))
            }
            Err(Unwritten::Broken(error)) => {
                busy.end(Some(error.message.clone()));
                Err(error)
            }
        }
    }
}

impl Model for Assistant {
    fn state(&self) -> ModelState {
        let now = self.now().clone();
        match self.model() {
            None => ModelState::default(),
            Some(model) => ModelState {
                name: Some(model.name.clone()),
                server: model.server.clone(),
                phase: if now.busy > 0 && now.phase != ModelPhase::Loading { ModelPhase::Busy } else { now.phase },
                problem: now.problem,
            },
        }
    }

    fn write<'a>(
        &'a self,
        case: &'a Case,
        task: Task,
        by: By,
        progress: &'a dyn Progress,
    ) -> BoxFuture<'a, Result<Writing, ModelError>> {
        Box::pin(async move {
            if by == By::Rules {
                return Ok(plain::write(case, &task));
            }
            let Some(model) = self.model() else {
                let why = "No model is chosen, so the rules wrote this. Choose one under Settings, Models.";
                return Ok(instead(case, &task, why.to_owned()));
            };
            if task == Task::Advise {
                if model.verdict == Some(Verdict::Unsuited) {
                    let why = format!(
                        "The test found {} unsuited to word advice, so the rules wrote it. Questions and sections are \
                         still put to it when you ask; choose another model under Settings, Models.",
                        model.name
                    );
                    return Ok(instead(case, &task, why));
                }
                // There is nothing to choose from.
                if offered(case).is_empty() {
                    return Ok(plain::write(case, &task));
                }
            }
            self.with_model(&model, case, task, progress).await
        })
    }
}

/// The rules' text, with the reason why it stands there.
fn instead(case: &Case, task: &Task, why: String) -> Writing {
    Writing { instead: Some(why), ..plain::write(case, task) }
}

/// While it lives, the model is at work.
struct Busy<'a>(&'a Assistant);

impl<'a> Busy<'a> {
    fn begin(assistant: &'a Assistant) -> Busy<'a> {
        assistant.now().busy += 1;
        Busy(assistant)
    }

    fn heard(&self, heard: &Heard) {
        self.0.now().phase = match heard {
            Heard::Loading(_) => ModelPhase::Loading,
            Heard::Waiting => return,
            Heard::Reading { .. } | Heard::Piece { .. } => ModelPhase::Ready,
        };
    }

    fn end(&self, problem: Option<String>) {
        let mut now = self.0.now();
        match problem {
            Some(problem) => (now.phase, now.problem) = (ModelPhase::Unusable, Some(problem)),
            None => (now.phase, now.problem) = (ModelPhase::Ready, None),
        }
    }
}

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        let mut now = self.0.now();
        now.busy = now.busy.saturating_sub(1);
        // A load that nobody waits for any more has ended.
        if now.busy == 0 && now.phase == ModelPhase::Loading {
            now.phase = ModelPhase::Idle;
        }
    }
}

/// Why a model wrote nothing.
pub(crate) enum Unwritten {
    /// It could not begin: it cannot be used.
    Before(String),
    /// It is well, but cannot do this.
    Unfit(String),
    /// It had begun.
    Broken(ModelError),
}

/// What a model wrote, checked.
pub(crate) struct Drafted {
    pub statements: Vec<Statement>,
    /// The steps it chose, in its order; as many as statements, for advice.
    pub actions: Vec<String>,
    /// The output had the form that was asked for.
    pub valid: bool,
    pub generated: Generated,
}

/// Packs, asks, reads and checks.
pub(crate) async fn draft(
    generator: &dyn Generator,
    case: &Case,
    task: &Task,
    hear: &(dyn Fn(Heard) + Send + Sync),
    progress: &dyn Progress,
) -> Result<Drafted, Unwritten> {
    let pack = packed(generator, case, task).await?;
    let items = pack.items;
    let words = Mutex::new((Words::default(), String::new()));
    let listen = |heard: Heard| {
        match &heard {
            Heard::Reading { done, all } => progress.step(Step::Reading { done: *done, all: *all, items }),
            Heard::Piece { text, tokens_per_second } => {
                let mut words = words.lock().unwrap_or_else(PoisonError::into_inner);
                let more = words.0.more(text);
                if !more.is_empty() {
                    words.1.push_str(&more);
                    progress.step(Step::Words { more, tokens_per_second: *tokens_per_second });
                }
            }
            Heard::Loading(_) | Heard::Waiting => {}
        }
        hear(heard);
    };
    let asked = prompt::prompt(task, &pack);
    let generated = match generator.generate(asked, &listen).await {
        Ok(generated) => generated,
        Err(error) => {
            let so_far = words.lock().unwrap_or_else(PoisonError::into_inner).1.clone();
            return Err(match so_far.trim().is_empty() {
                true => Unwritten::Before(error.message),
                false => Unwritten::Broken(ModelError { message: error.message, so_far }),
            });
        }
    };
    let checker = Checker::new(case);
    let mut statements = Vec::new();
    let mut actions: Vec<String> = Vec::new();
    let written = parse::parse(&generated.text);
    let advice = *task == Task::Advise && !pack.actions.is_empty();
    for mut one in written {
        if advice {
            // A step that is not offered, or that was named before, is none.
            let Some(action) = one.action.filter(|a| pack.actions.contains(a) && !actions.contains(a)) else {
                continue;
            };
            if !one.draft.cites.contains(&action) {
                one.draft.cites.insert(0, action.clone());
            }
            actions.push(action);
        }
        statements.push(checker.check(&one.draft));
    }
    let valid = !statements.is_empty() && serde_json::from_str::<serde_json::Value>(generated.text.trim()).is_ok();
    Ok(Drafted { statements, actions, valid, generated })
}

async fn packed(generator: &dyn Generator, case: &Case, task: &Task) -> Result<Pack, Unwritten> {
    let before = |e: ModelError| Unwritten::Before(e.message);
    let context = generator.context().await.map_err(before)?;
    let items = pack::items(case);
    let mut texts = vec![prompt::fixed(), prompt::question(task)];
    texts.extend(items.iter().map(|item| item.text.clone()));
    let counts = generator.count(texts).await.map_err(before)?;
    let around: u32 = counts.iter().take(2).fold(0u32, |sum, n| sum.saturating_add(*n));
    let taken = around.saturating_add(prompt::reserve(task)).saturating_add(TEMPLATE);
    let budget = context.saturating_sub(taken).min(PACK);
    if budget < LEAST {
        return Err(Unwritten::Unfit(format!(
            "The model takes in {context} tokens at a time, which is too few for this incident, so the rules wrote \
             this. Choose a model with a larger context under Settings, Models."
        )));
    }
    let pack = pack::assemble(&items, counts.get(2..).unwrap_or_default(), budget);
    Ok(pack)
}

/// What becomes of a draft: the writing, or the rules' text where most of the draft does not stand.
fn finish(model: &ModelInUse, case: &Case, task: &Task, mut drafted: Drafted) -> Writing {
    if drafted.statements.is_empty() {
        let why = format!(
            "The answer of {} could not be read, so the rules wrote this. Ask again, or try the model under Settings, Models.",
            model.name
        );
        return instead(case, task, why);
    }
    let all = drafted.statements.len();
    let flagged = drafted.statements.iter().filter(|s| is_flagged(s)).count();
    if flagged * 2 > all {
        let why = format!(
            "{flagged} of {all} sentences of {} could not be tied to the record, so the rules wrote this.",
            model.name
        );
        return instead(case, task, why);
    }
    if *task == Task::Advise && model.verdict != Some(Verdict::Good) {
        order_of_the_rules(case, &mut drafted);
    }
    let g = &drafted.generated;
    let writing_ms = g.total_ms.saturating_sub(g.first_token_ms);
    let rate = if writing_ms == 0 { 0.0 } else { g.generated_tokens as f32 * 1000.0 / writing_ms as f32 };
    Writing {
        author: Author::Model { name: model.name.clone(), server: model.server.clone() },
        statements: drafted.statements,
        actions: drafted.actions,
        figures: Some(Figures {
            prompt_tokens: g.prompt_tokens,
            generated_tokens: g.generated_tokens,
            first_token_ms: g.first_token_ms,
            tokens_per_second: rate,
        }),
        instead: None,
    }
}

/// It says something that does not stand. That something is not established is an answer, and stands.
pub(crate) fn is_flagged(statement: &Statement) -> bool {
    statement.standing != Standing::Tied && statement.text != plain::NOT_ESTABLISHED
}

/// A model whose exam did not say that it orders well words the steps, and the rules order them.
fn order_of_the_rules(case: &Case, drafted: &mut Drafted) {
    let order: Vec<&str> = offered(case).iter().map(|a| a.id.as_str()).collect();
    let place = |id: &str| order.iter().position(|o| *o == id).unwrap_or(usize::MAX);
    let actions = std::mem::take(&mut drafted.actions);
    let statements = std::mem::take(&mut drafted.statements);
    let mut both: Vec<(String, Statement)> = actions.into_iter().zip(statements).collect();
    both.sort_by_key(|(id, _)| place(id));
    (drafted.actions, drafted.statements) = both.into_iter().unzip();
}
