//! Contexts and the watch over them.

use afterwatch_contract::window::{AppEvent, ClustersPage};

use super::{Answer, Held, error};
use crate::relay;

/// Every context of the kubeconfig, and how its connection stands.
#[tauri::command]
pub async fn clusters(shell: Held<'_>) -> Answer<ClustersPage> {
    Ok(shell.desk().await?.contexts.page().await)
}

/// Watches a context from now on, or no longer.
#[tauri::command]
pub async fn watch_cluster(shell: Held<'_>, name: String, watched: bool) -> Answer<()> {
    let desk = shell.desk().await?;
    desk.contexts.choose(&name, watched).await.map_err(error)?;
    for cluster in desk.contexts.page().await.clusters.into_iter().filter(|c| c.name == name) {
        shell.tell(AppEvent::Cluster { cluster: Box::new(cluster) });
    }
    relay::draw_tray(&shell, &desk).await;
    Ok(())
}

/// Reads the files again and connects this context from scratch.
#[tauri::command]
pub async fn retry_cluster(shell: Held<'_>, name: String) -> Answer<()> {
    shell.desk().await?.contexts.retry(&name).await;
    Ok(())
}

/// Marks a context as production or as one that is only read, or takes the mark away.
#[tauri::command]
pub async fn set_cluster_mark(shell: Held<'_>, name: String, mark: Option<String>) -> Answer<()> {
    if mark.as_deref().is_some_and(|mark| !["production", "read_only"].contains(&mark)) {
        return Err(error("A cluster is marked as production or as read-only."));
    }
    shell.desk().await?.contexts.set_mark(&name, mark).await.map_err(error)?;
    shell.tell(AppEvent::Clusters);
    Ok(())
}

/// Pauses or resumes all recording.
#[tauri::command]
pub async fn set_paused(shell: Held<'_>, paused: bool) -> Answer<()> {
    let desk = shell.desk().await?;
    relay::set_paused(&shell, &desk, paused).await;
    Ok(())
}
