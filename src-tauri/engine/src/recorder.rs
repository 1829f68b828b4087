//! One cluster, from observation to incident.
