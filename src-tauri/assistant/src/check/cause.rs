//! Families of causes: the words that claim one, and the words of a record that bear it out.

use std::sync::LazyLock;

use regex::Regex;

/// A family of causes or deeds.
pub(super) struct Family {
    /// As it is called in a reason.
    pub name: &'static str,
    claim: Regex,
    proof: Regex,
    /// Beginnings of rule ids that establish it.
    rules: &'static [&'static str],
}

impl Family {
    /// Where the text speaks of it, in small letters.
    pub fn claimed<'t>(&self, text: &'t str) -> impl Iterator<Item = regex::Match<'t>> {
        self.claim.find_iter(text)
    }

    /// Whether a text of the record has it.
    pub fn proven(&self, text: &str) -> bool {
        self.proof.is_match(text)
    }

    /// Whether a rule of this id establishes it.
    pub fn is_of(&self, rule_id: &str) -> bool {
        self.rules.iter().any(|rule| rule_id.starts_with(rule))
    }
}

/// All families.
pub(super) fn families() -> &'static [Family] {
    &FAMILIES
}

static FAMILIES: LazyLock<Vec<Family>> = LazyLock::new(|| {
    type Row = (&'static str, &'static str, &'static str, &'static [&'static str]);
    let rows: &[Row] = &[
        (
            "running out of memory",
            r"\bout[- ]of[- ]memory\b|\boom(-?kill(ed|er|ing|s)?)?\b|\bmemory (limit|exhaustion|shortage|starvation|leak(s|ed|ing)?|ceiling|budget|cap|allowance|usage|consumption)\b|\bran out of (memory|ram)\b|\bleak(s|ed|ing)? memory\b|\btoo (much|little) memory\b|\bkilled for (its )?memory\b|\bheap\b|\bmemory\b",
            r"oom|out of memory|memory",
            &["memory-", "container-oom"],
        ),
        ("a memory leak", r"\bleak(s|ed|ing|age|y)?\b", r"\bleak", &["log-"]),
        (
            "pressure on a node",
            r"\b(memory|disk|pid|process|resource|node)[- ]pressure\b|\bnode (was |is |ran )?(short|out|low) (of|on) (memory|disk|resources)\b",
            r"pressure",
            &["node-under-pressure", "node-pressure"],
        ),
        (
            "a full disk",
            r"\bdisks?\b|\bno space left\b|\bout of (disk|space)\b|\b(ephemeral|local) storage\b|\bfilled up\b|\binodes?\b",
            r"disk|no space|(ephemeral|local) storage|enospc|inode",
            &["ephemeral-", "log-disk", "log-no-space"],
        ),
        (
            "DNS",
            r"\bdns\b|\bname resolution\b|\bresolv(e|ed|ing|er) (the |its |a )?(host|name|hostname|address|domain)\w*|\b(host ?name|domain name|hostname|name server|nameserver|coredns|kube-dns)s?\b|\bhost (is |was |could )?(unknown|not found)\b|\bunknown host\b",
            r"dns|enotfound|getaddrinfo|no such host|name resolution|resolve|unknown host|host name|\bhost\b",
            &["host-name", "log-dns", "dns-policy", "cluster-dns", "service-missing"],
        ),
        (
            "a certificate",
            r"\bcertificates?\b|\bx\.?509\b|\btls (handshake|error|failure)|\bcert\b|\bssl\b",
            r"certificate|x509|\btls\b|\bssl\b|\bcert\b",
            &["ingress-certificate", "log-tls", "log-certificate"],
        ),
        ("a quota", r"\bquotas?\b", r"quota", &["quota-"]),
        ("a limit range", r"\blimit ?range\b", r"limit ?range|per container is", &["limit-range"]),
        (
            "a network policy",
            r"\bnetwork ?polic(y|ies)\b|\begress rule\b|\bfirewall\b",
            r"network ?polic|egress|firewall",
            &["network-policy"],
        ),
        (
            "the network",
            r"\bnetwork(ing)?\b|\bpacket loss\b|\bconnectivity\b|\blatency\b|\bcni\b|\brouting\b|\bpartition(ed)?\b",
            r"network|packet|cni|calico|cilium|connect|unreachable|no route|dial tcp|timed? ?out|stopped reporting|reach",
            &["sandbox-", "log-network", "network-policy", "traffic-cut", "pod-addresses"],
        ),
        (
            "a refused connection",
            r"\bconnection (was |is |being )?refused\b|\brefus(ed|es|ing) (the )?(connections?)\b|\beconnrefused\b",
            r"refused|econnrefused",
            &["probe-refused", "log-connection", "dependency-", "service-port-unknown"],
        ),
        (
            "a time-out",
            r"\btime[sd]?[- ]?out\b|\btimeouts?\b|\bdeadline\b|\btoo slow(ly)?\b",
            r"time[sd]?[- ]?out|deadline",
            &["probe-timeout", "job-deadline", "log-timeout", "deployment-stuck"],
        ),
        (
            "a probe",
            r"\bprobes?\b|\b(liveness|readiness|start-?up) (check|probe|test)\w*|\bhealth[- ]?checks?\b",
            r"probe|health|unhealthy",
            &["probe-", "readiness-", "liveness-", "startup-"],
        ),
        ("a readiness probe", r"\breadiness (probe|check|test)", r"readiness", &["readiness-"]),
        ("a liveness probe", r"\bliveness (probe|check|test)", r"liveness", &["liveness-"]),
        ("a start-up probe", r"\bstart-?up probe", r"startup|start-up", &["startup-"]),
        (
            "an image",
            r"\bimages?\b|\bpull(ed|ing|s)? (the |its |an? )?(container )?(image|tag)|\bcould not be pulled\b|\bregistr(y|ies)\b|\bpull secret\b",
            r"image|pull|registry",
            &["image-", "not-found"],
        ),
        (
            "an image that cannot be pulled",
            r"\b(un)?able to pull\b|\b(cannot|could not|can't|couldn't|fail(s|ed|ing)? to) (be )?pull(ed)?\b|\bpull (failure|error)|\b(bad|wrong|missing|non-?existent|broken|corrupt(ed)?|incompatible) (container )?(image|tag)\b|\bimage (is |was |that |which )?(missing|corrupt\w*|not found|broken|incompatible|(does|did) not exist)|\bregistry\b",
            r"\bpull|errimage|imagepull|the registry|not found.*image|image.*not found|must be signed",
            &["image-"],
        ),
        (
            "a missing right",
            r"\bunauthori[sz]ed\b|\b401\b|\b403\b|\brbac\b|\bpermissions?\b|\bcredentials?\b|\baccess (was |is )?denied\b|\bauthenticat\w+|\bauthori[sz]ation\b|\bpermission denied\b|\brole ?binding\b",
            r"unauthori|401|403|forbidden|permission|denied|authori|credential|rbac",
            &["image-unauthorised", "log-permission", "log-auth"],
        ),
        ("a Secret", r"\bsecrets?\b", r"secret", &["source-", "ingress-certificate", "volume-"]),
        ("a ConfigMap", r"\bconfig ?maps?\b", r"configmap", &["source-"]),
        (
            "a configuration value",
            r"\bmis-?configur\w+|\bconfiguration\b|\bconfig (value|error|change|file)\b|\bbad config\b",
            r"config|env |environment|value|variable|setting|selector|limits?\.",
            &[
                "log-bad-config",
                "source-",
                "log-missing",
                "container-refused",
                "configuration-changed",
                "shared-config",
            ],
        ),
        (
            "a missing variable",
            r"\benvironment variables?\b|\benv(ironment)? var\b|\bvariable\b",
            r"environment|variable|\benv\b",
            &["log-missing-env", "log-missing-setting", "log-bad-config", "configuration-changed"],
        ),
        (
            "a full address range",
            r"\bip address(es)?\b|\bno (free )?addresses\b|\baddress (pool|range)\b",
            r"address",
            &["sandbox-"],
        ),
        (
            "a node",
            r"\bnode (failure|failed|trouble|problem|crash(ed)?|outage|went (down|away|silent)|was lost|is lost|lost|died|reboot(ed)?|is not ready|was not ready|not ready|unreachable|was unreachable|stopped)\b|\b(lost|dead|failed|unhealthy|broken|crashed) node\b|\bkubelet (stopped|crash|died|fail)|\bhost failure\b",
            r"stopped reporting|not ready|lost|notready|unknown|kubelet stopped|nodestatus|went|silent|node trouble",
            &["node-lost", "node-not", "pod-on-lost"],
        ),
        (
            "scheduling",
            r"\bunschedulable\b|\b(cannot|could not|can't|couldn't) be scheduled\b|\btaints?\b|\b(anti-?)?affinity\b|\bnode selectors?\b|\binsufficient (cpu|memory)\b|\bscheduler\b|\bno node (would |could |can )?(take|fits?|matches|has|offers|carries|accepts?)\b|\btopology spread\b|\bschedul(ed|ing)\b",
            r"schedul|taint|affinity|selector|no node|insufficient|topology",
            &["request-", "taint-", "node-selector", "node-affinity", "anti-affinity", "topology", "no-nodes"],
        ),
        ("a taint", r"\btaint(s|ed)?\b|\btolerat\w+", r"taint|tolerat", &["taint-"]),
        (
            "a volume",
            r"\bvolumes?\b|\bmount(s|ed|ing)?\b|\bpvcs?\b|\bpersistent ?volume\w*|\bclaims?\b|\bstorage ?class(es)?\b|\bprovisioner\b",
            r"volume|mount|claim|storageclass|storage|pvc|provision",
            &["volume-", "storage-class", "claim-", "no-default"],
        ),
        ("a webhook", r"\bweb-?hooks?\b|\badmission\b", r"webhook|admission", &["webhook-", "admission-"]),
        (
            "a selector",
            r"\bselectors?\b|\bselect(s|ed)? no pods?\b|\b(wrong|misspelt|mistyped) labels?\b",
            r"selector|selects|labels",
            &["service-selector", "node-selector"],
        ),
        ("endpoints", r"\bendpoints?\b", r"endpoint", &["service-without", "service-", "dependency-"]),
        (
            "processor time",
            r"\bthrottl\w+|\bcpu (limit|starvation|pressure|shortage|exhaustion|load|usage|spike)|\bcpus?\b|\bprocessor\b",
            r"cpu|throttl",
            &["request-too-large", "no-room"],
        ),
        (
            "load",
            r"\btraffic\b|\boverload(ed)?\b|\bload (spike|peak|surge)|\bspike\b|\bsurge\b|\bhigh load\b|\bpeak\b|\bthundering\b|\brush\b",
            r"traffic|overload|load|spike|surge",
            &[],
        ),
        (
            "hardware",
            r"\bhardware\b|\bpower (cut|outage|loss|failure)\b|\bdata ?cent(er|re)\b|\bcloud provider\b|\bavailability zone\b|\bdisk failure\b|\bfaulty (ram|disk|board)",
            r"hardware|power|datacent|provider|zone",
            &[],
        ),
        (
            "an attack",
            r"\battack(s|ed|er)?\b|\bddos\b|\bintrusion\b|\bhack(ed|er)?\b|\bmalicious\b|\bcompromised?\b|\bexploit\w*|\bbreach\b|\bmalware\b|\bransom",
            r"attack|ddos|intrusion|malicious|compromis|breach",
            &[],
        ),
        (
            "a fault of the program",
            r"\bsegmentation fault\b|\bsegfault\w*|\bpanick?(ed|ing|s)?\b|\bnull[- ]pointer\b|\bdeadlock\w*|\brace condition\b|\bstack overflow\b|\bunhandled exception\b|\bbug(s|gy)?\b|\binfinite loop\b|\bregression\b|\bsyntax error\b",
            r"segmentation|sigsegv|segfault|panic|null|deadlock|race condition|overflow|exception|bug|loop|regression|syntax|exit code 139|exitcode: 139",
            &["log-panic", "log-exception"],
        ),
        (
            "a database",
            r"\bdatabase\b|\b(postgres|mysql|redis|mongo|kafka|rabbitmq|elastic)\w*\b|\bsql\b|\bmigrations?\b",
            r"database|postgres|mysql|redis|mongo|kafka|rabbit|elastic|sql|migration|\bdb\b",
            &["log-"],
        ),
        (
            "a person's mistake",
            r"\bhuman (error|mistake)\b|\btypo(s|graphical)?\b|\bmistyp\w+|\bcareless\w*|\bnegligen\w+|\bby (mistake|accident)\b|\baccidental(ly)?\b|\bmisspel\w+|\bunintentional\w*",
            r"human|typo|mistake|misspel|bad-name",
            &["service-selector"],
        ),
        ("an upgrade", r"\bupgrad(e|ed|es|ing)\b|\bmaintenance\b|\bkernel\b", r"upgrade|maintenance|kernel", &[]),
        (
            "a removal",
            r"\b(was|were|been|got|has|had|someone|somebody) (accidentally |manually )?(deleted|removed|dropped|wiped)\b|\bdeletion\b|\b(deleted|removed|wiped|deleting|removing)\b",
            r"delet|remov|dropp",
            &["source-", "service-missing"],
        ),
        ("a reboot", r"\breboot\w*", r"reboot", &[]),
        (
            "a move to another node",
            r"\b(moved|migrated|rescheduled) (to|onto)\b",
            r"moved|migrat|reschedul|elsewhere|scheduled",
            &[],
        ),
        (
            "its size or age",
            r"\btoo (large|big|old|new)\b",
            r"too (large|big|old|new)|exceed|insufficient|quota",
            &["request-too-large", "no-room"],
        ),
        (
            "a wrong value",
            r"\b(wrong|invalid|bad|expired) (values?|passwords?|tokens?|credentials?)\b",
            r"wrong|invalid|bad |must be|unknown value|expired|not accepted|parse",
            &["log-bad-config", "configuration-changed"],
        ),
        ("a creation", r"\bcreated\b", r"creat|added|\bnew\b", &[]),
        (
            "being down",
            r"\b(was|is|were|are) (down|offline|unavailable|unreachable|overloaded|switched off|turned off)\b|\bwent (offline|unreachable)\b",
            r"\bdown\b|offline|unavailable|unreachable|no ready|refused|not ready|stopped reporting|out of reach",
            &[],
        ),
        ("scaling", r"\bscal(ed|ing)( (up|down|out|in|back))?\b|\bautoscal\w+|\bhpa\b", r"scal|replicas", &[]),
        (
            "an eviction",
            r"\bevict(ed|ion|ions|ing|s)?\b|\bpreempt\w*",
            r"evict|preempt",
            &["pod-evicted", "node-pressure-eviction", "ephemeral-"],
        ),
        ("draining", r"\bdrain(ed|ing|s)?\b|\bcordon(ed)?\b", r"drain|cordon|unschedulable", &["node-cordoned"]),
        (
            "going back to an earlier revision",
            r"\b(roll(ed|ing)? ?back|rollback|undone|undo)\b",
            r"roll|undo|undone",
            &[],
        ),
        (
            "what users saw",
            r"\b(nobody|no one|everybody|everyone|anybody) (could|can|was able)\b|\busers?\b|\bcustomers?\b|\bclients\b|\bvisitors?\b|\bshoppers?\b|\brevenue\b|\borders were lost\b|\bdata loss\b|\blost data\b|\bcomplain\w*",
            r"users?\b|customers?|clients|visitors?|revenue|data",
            &[],
        ),
        (
            "requests",
            r"\brequests (failed|were|had|saw|got|returned|timed)\b|\b(failed|dropped|lost|erroneous) requests\b|\b5xx\b|\bhttp 5\d\d\b|\berror rate\b",
            r"requests? (failed|were)|5xx|statuscode|status code|http|502|503|500",
            &["probe-bad-status"],
        ),
        (
            "something missing",
            r"\b(is|was|are|were) (missing|absent|gone)\b|\bmissing (secret|config ?map|service|file)\b|\bdo(es)? not exist\b|\bdid not exist\b",
            r"missing|absent|not found|does not exist|couldn't find|not set|no such|enoent|notfound|cannot be found",
            &["source-", "image-", "service-missing", "log-missing", "storage-class", "claim-missing"],
        ),
        (
            "people",
            r"\b(team|engineer|developer|operator|admin|administrator|colleague|intern|contractor)s?\b",
            r"team|engineer|developer|operator|admin|colleague|intern|contractor",
            &[],
        ),
    ];
    rows.iter()
        .filter_map(|(name, claim, proof, rules)| {
            Some(Family { name, claim: Regex::new(claim).ok()?, proof: Regex::new(proof).ok()?, rules })
        })
        .collect()
});

/// How a clause speaks of something at this place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tone {
    /// It says so.
    Says,
    /// It says that it was not so, or that it is not known.
    Denies,
    /// It says in so many words that it is ruled out.
    RulesOut,
}

static OUT: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"\bruled? out\b|\bruling out\b|\bexcluded?\b|\beliminated?\b|\bnot the (root )?(cause|reason|culprit|problem)\b|\bnot (to blame|involved|responsible|at fault|a factor)\b|\bnot (caused|triggered|brought about) by\b|\bunrelated\b|\bnothing to do with\b|\bcan be dismissed\b|\bdid not cause\b|\bnot due to\b|\bnot because of\b|\brather than\b|\binstead of\b|\binnocent\b|\bhad no part\b|\bplayed no part\b").ok()
});
static NO: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"\b(no|not|never|neither|nor|without|none|nothing|free of|lacks?|isn't|wasn't|weren't|didn't|doesn't|cannot|can't|whether|unknown|if)\b").ok()
});
static ENOUGH: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"\bto spare\b|\b(was|is|were|are) (fine|enough|sufficient|free|present|available|healthy)\b|^(enough|sufficient|ample|plenty|spare|free)$").ok()
});
static CAUSAL: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"\bcaus(e|ed|es|ing)\b|\bbecause\b|\bdue to\b|\breasons?\b|\bled to\b|\btriggered\b|\bstem(s|med)? from\b|\bresult(s|ed)? (of|from)\b|\bowing to\b|\bblame\w*\b|\bculprit\b|\bresponsible\b|\bbrought down\b|\bcomes? (down to|from)\b|\bcame from\b|\bfault of\b|\boriginat\w+|\bto do with\b|\bbehind (it|this|the)\b|\bthanks to\b|\bby way of\b|\bfell over\b|\bmade it fail\b|\broot of\b|\bbroke(n)? (it|the)\b").ok()
});

/// How the clause speaks of what stands at this place.
pub(super) fn tone(clause: &str, at: usize) -> Tone {
    if OUT.as_ref().is_some_and(|out| out.is_match(clause)) {
        let rather = clause.find("rather than").or_else(|| clause.find("instead of"));
        if rather.is_none_or(|r| at > r) {
            return Tone::RulesOut;
        }
    }
    // Enough of something is no lack of it.
    let after: String = clause[at..].chars().take(40).collect();
    if ENOUGH.as_ref().is_some_and(|enough| {
        enough.is_match(&after) || clause[..at].split_whitespace().next_back().is_some_and(|w| enough.is_match(w))
    }) {
        return Tone::Denies;
    }
    let before: Vec<&str> = clause[..at].split_whitespace().rev().take(4).collect();
    let near = before.into_iter().rev().collect::<Vec<_>>().join(" ");
    match NO.as_ref().is_some_and(|no| no.is_match(&near)) {
        true => Tone::Denies,
        false => Tone::Says,
    }
}

/// Whether the clause names a cause.
pub(super) fn is_causal(clause: &str) -> bool {
    CAUSAL.as_ref().is_some_and(|causal| causal.is_match(clause))
}

/// The clauses of a sentence, in small letters.
pub(super) fn clauses(text: &str) -> Vec<String> {
    let lower = text.to_lowercase();
    let mut out = vec![lower];
    for sign in [". ", "; ", " — ", " – ", ", but ", ", while ", ", although ", ", whereas ", " however ", ", so "]
    {
        out = out.iter().flat_map(|part| part.split(sign).map(str::to_owned).collect::<Vec<_>>()).collect();
    }
    out.retain(|part| !part.trim().is_empty());
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_family_can_be_read() {
        assert_eq!(families().len(), 54);
    }

    #[test]
    fn a_denial_is_told_from_a_claim() {
        for (text, what, expected) in [
            ("it was killed for memory", "memory", Tone::Says),
            ("dns was ruled out", "dns", Tone::RulesOut),
            ("it was not because of dns", "dns", Tone::RulesOut),
            ("there is no memory pressure", "memory", Tone::Denies),
            ("it was the disk rather than dns", "disk", Tone::Says),
            ("it was the disk rather than dns", "dns", Tone::RulesOut),
        ] {
            assert_eq!(tone(text, text.find(what).unwrap()), expected, "{text}");
        }
    }
}
