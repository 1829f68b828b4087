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
        let has = |list: &[String], wanted: &str| list.iter().any(|v| v == "*" || v == wanted);
        has(&self.verbs, verb)
            && has(&self.api_groups, group)
            && has(&self.resources, resource)
            && self.resource_names.is_empty()
    }
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
