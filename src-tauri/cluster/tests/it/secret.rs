//! What is known of Secrets, of which only metadata is asked for.

use crate::support::{Config, Memory, Stub, list};
use afterwatch_core::{
    object::{Kind, Object},
    observation::Fact,
    port::Cluster,
};
use serde_json::json;

fn listed(fact: &Fact) -> Option<Vec<Object>> {
    match fact {
        Fact::Listed { kind: Kind::Secret, objects, .. } => Some(objects.clone()),
        _ => None,
    }
}

#[tokio::test]
async fn of_a_secret_the_names_of_its_keys_are_known_where_its_metadata_says_who_wrote_them() {
    let stub = Stub::start(|r| {
        let fields = json!({"f:data": {".": {}, "f:user": {}, "f:tls.crt": {}}, "f:type": {}});
        let wrote = json!([{"manager": "helm", "operation": "Update", "fieldsV1": fields},
            {"manager": "ops", "operation": "Apply", "fieldsV1": {"f:stringData": {"f:token": {}}}}]);
        let bare = json!([{"manager": "helm", "operation": "Update", "fieldsV1": {"f:type": {}}}]);
        (r.of("secrets") && !r.is_watch()).then(|| {
            list(vec![
                json!({"metadata": {"name": "full", "managedFields": wrote}}),
                json!({"metadata": {"name": "empty", "managedFields": bare}}),
                json!({"metadata": {"name": "unsaid"}}),
            ])
        })
    })
    .await;
    let memory = Memory::default();
    Config::new(&stub.address, json!({})).cluster().scan(memory.sink()).await;
    let keys: Vec<_> = memory
        .until(listed)
        .await
        .iter()
        .map(|o| match o {
            Object::Secret(s) => s.keys.as_ref().map(|k| k.iter().cloned().collect::<Vec<_>>().join(" ")),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(keys, [Some("tls.crt token user".to_owned()), Some(String::new()), None]);
}
