//! Words of prose, by what they can be in a sentence.

use std::{collections::BTreeSet, sync::OnceLock};

/// A set of words.
pub(super) struct Lexicon {
    words: &'static str,
    set: OnceLock<BTreeSet<&'static str>>,
}

impl Lexicon {
    /// Whether the word, in small letters, is one of them.
    pub fn has(&self, word: &str) -> bool {
        self.set.get_or_init(|| self.words.split_whitespace().collect()).contains(word)
    }
}

const fn lexicon(words: &'static str) -> Lexicon {
    Lexicon { words, set: OnceLock::new() }
}

/// Words without a meaning of their own.
pub(super) static FUNCTION: Lexicon = lexicon(
    "a about above after again against all also although am an and another any anything are as at away back be \
    became because become been before behind being below beside between beyond both but by can cannot come \
    comes could did do does done down during each either else even ever every everything few first for from \
    further gave get gets give gives go goes got had has have he hence her here him his how if in inside \
    instead into is it its itself just keep keeps kept last later least left less like made make makes many may \
    might more most much must need needs neither never next no nobody none nor not nothing now of off on once \
    one only onto or other others our out outside over own per put rather same seems several she should since \
    so some something soon still such take takes than that the their them then there therefore these they this \
    those though three through throughout thus till to too took toward towards two under unless until up upon \
    us very via was we went were what when where whether which while who whole whose why will with within \
    without would yet you your",
);

/// Words that follow a kind of object and are no name.
pub(super) static PROSE: Lexicon = lexicon(
    "account accounts address alike alone ask asks back began begin begins behind can't cannot carries class \
    config configuration controller cpu crash crashes declare declares definition didn't die died dies \
    directory doesn't end endpoint endpoints ends event events exceed exceeds exist exists exit exits fail \
    fails failure file fit fits gives hang hangs healthy here hit hits hold holds host image images isn't \
    itself key keys label labels lack lacks level limit limits line log logs loop lost match matches memory \
    metrics mode mount mounts name named names offer offers owner path pending point points policy port ports \
    pressure probe probes problem pull pulls quota ran read reads ready refer refers report reports request \
    requests restart restarts run runs said sat saw say says scheduler see sees select selector selects send \
    sends set sets show shows side spec spent start starts state status statuses stood stop stops stuck tag \
    takes team template that then there today together trouble unready use uses value values version volume \
    wait waits want wants wasn't whatever wise won't write writes wrote \
    came lets let got fell rose held met paid sent shut threw woke grew \
    drew broke built brought caught chose cost cut felt found froze hung knew laid \
    led meant spoke struck told thought gets returns stays works goes comes loses becomes \
    turns grows allows leaves brings prevents stands answers accepts rejects refuses expects tries knows \
    finds puts helps drops serves listens looks belongs remains seems appears requires depends explains \
    means causes leads carried kept went \
     which as refs for ref that pressure exceeded",
);

/// Words that describe what follows.
pub(super) static DESCRIBING: Lexicon = lexicon(
    "absent actual additional alive api available backend bad base batch big both broken certain cluster \
    container correct critical cron current custom data dead different docker earlier eight either empty entire \
    env environment extra faulty few final first five former four free fresh front frontend full given good \
    headless healthy idle init initial kubernetes lab large last later latest local login lone lost mail main \
    memory missing neither new next nightly nine no normal oci old one only original other own particular \
    present private public quiet ready referenced remote replica right same second server seven sick sidecar \
    silent single six small sole sound spare specific stable stuck target ten test that third three two unknown \
    unready very web what which whole worker wrong young",
);

/// Parts of compound words of prose.
pub(super) static PARTS: Lexicon = lexicon(
    "a affected after all and another as auto away back bad based be before below best bound broken built by \
    call case change check client close cluster cold come config container control crash crashing create \
    created day de dead deep defined deploy deployed depth down downs driven due early end ended evaluate \
    evaluated ever existing exit facing factor fail failed failing fast few first five follow for four free \
    full go good grained half hand he healthy heavy her high higher him hit hour hours house if image in init \
    ins it job kill killed known last late left less level life like line live lived liveness load long longer \
    look looks loop looping loops low lower made manual map memory mid minute minutes mis more mortem most \
    mount mounted multi name named near never new next node non not of off offs old on one only open opened or \
    other out outs over own part per pod point poor post pre prone pull quick re read readiness readonly ready \
    real related restart restarted roll rolled rolling root run runs same scale scaled second seconds secret \
    self semi server service set she short shut side six size slow so spec specific stand start started starts \
    startup step still stop storage sub super sure ten term than the then there third three through time timed \
    to top tried tries trip try two type un under up ups use used user using usual visible volume well wide \
    wise work write wrong year yet zero \
     byte bytes letter digit core way fold times word sentence",
);

/// Words after “by”, or with a capital, that are nobody.
pub(super) static NOT_PEOPLE: Lexicon = lexicon(
    "a about admission afterwatch all an another any anyone api april at august back both cause changing cluster \
    configmap container containerd containers controller cronjob daemonset december default deployment \
    deployments design docker each error established every everything exceeding far february four friday git \
    going hand he helm here image ingress it its itself itself, january job jobs july june kubectl kubelet \
    kubernetes less likely linux lowering manager march may means memory monday more much name namespace no \
    nobody node nodes not nothing november now october one only other people person pod pods policy possible \
    quota raising registry replicaset restoring role root rule rules saturday scheduler secret secrets \
    september server service services setting she some somebody someone something statefulset sunday system \
    that the their them themselves then there these they this those three thursday tuesday two utc warning way \
    we webhook wednesday what when which who whoever you \
     trouble work traffic everything kubelet pulling recording watching",
);

/// Written with capitals by everybody.
pub(super) static CAPITALS: Lexicon = lexicon(
    "dns api cpu oom utc tls ssl url ram http https json yaml rbac mttr ip tcp udp sre slo pvc cni gpu vm os not and or",
);
