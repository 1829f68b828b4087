//! Who may do what (RBAC).

use serde::{Deserialize, Serialize};

use super::Meta;

macro_rules! object {
    ($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(rename_all = "camelCase", default)]
        pub struct $name {
            pub metadata: Meta,
            $($(#[$field_doc])* pub $field: $type),+
        }
    };
}

object!(
    /// Rights in one namespace.
    Role { rules: Vec<PolicyRule> }
);
object!(
    /// Rights in every namespace, or in the one a RoleBinding grants them in.
    ClusterRole { rules: Vec<PolicyRule> }
);
object!(
    /// Who has a role in one namespace.
    RoleBinding { subjects: Vec<Subject>, role_ref: RoleRef }
);
object!(
    /// Who has a cluster role everywhere.
    ClusterRoleBinding { subjects: Vec<Subject>, role_ref: RoleRef }
);

/// What may be done to what; `*` stands for all.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PolicyRule {
    pub verbs: Vec<String>,
    pub api_groups: Vec<String>,
    pub resources: Vec<String>,
    /// Empty: every name.
    pub resource_names: Vec<String>,
    #[serde(rename = "nonResourceURLs")]
    pub non_resource_urls: Vec<String>,
}

impl PolicyRule {
    /// True when the rule allows the verb on the resource (`pods`, `pods/log`) of a group, whatever its name.
    pub fn allows(&self, verb: &str, group: &str, resource: &str) -> bool {
        has(&self.verbs, verb) && self.speaks_of(group, resource) && self.resource_names.is_empty()
    }

    /// The same for one name.
    pub fn allows_named(&self, verb: &str, group: &str, resource: &str, name: &str) -> bool {
        has(&self.verbs, verb)
            && self.speaks_of(group, resource)
            && (self.resource_names.is_empty() || self.resource_names.iter().any(|n| n == name))
    }

    /// It allows something on the resource of a group, be it on some names only.
    pub fn speaks_of(&self, group: &str, resource: &str) -> bool {
        has(&self.api_groups, group) && has(&self.resources, resource)
    }

    /// The verb is among those it allows.
    pub fn has_verb(&self, verb: &str) -> bool {
        has(&self.verbs, verb)
    }
}

fn has(list: &[String], wanted: &str) -> bool {
    list.iter().any(|v| v == "*" || v == wanted)
}

/// A user, a group or a service account.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Subject {
    pub kind: String,
    pub name: String,
    pub namespace: Option<String>,
}

/// The role that is granted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RoleRef {
    pub kind: String,
    pub name: String,
}
