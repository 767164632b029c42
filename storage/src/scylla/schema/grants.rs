//! What roles may do: for an operator to say, as this program never logs in as one who may grant.

use super::{Area, Keyspaces, lease};

/// The statements that let `common` open every keyspace but those of `own`, and each of these its
/// own. All but `common` may nothing else; it looks at the schema besides.
pub fn grants(keyspaces: &Keyspaces, common: &str, own: &[(Area, &str)]) -> Vec<String> {
    let mut roles = vec![common];
    let mut statements = Vec::new();
    for area in Area::OPENED {
        let role = own.iter().find(|(of, _)| *of == area).map_or(common, |(_, role)| *role);
        if !roles.contains(&role) {
            roles.push(role);
        }
        for may in ["SELECT", "MODIFY"] {
            let (keyspace, role) = (keyspaces.name(area), quoted(role));
            statements.push(format!("GRANT {may} ON KEYSPACE {keyspace} TO {role}"));
        }
    }
    let table = format!("{}.{}", keyspaces.name(Area::Operations), lease::TABLE);
    statements.push(format!("GRANT SELECT ON TABLE {table} TO {}", quoted(common)));
    let create = |role| format!("CREATE ROLE IF NOT EXISTS {} WITH LOGIN = true", quoted(role));
    roles.into_iter().map(create).chain(statements).collect()
}

fn quoted(role: &str) -> String {
    format!("\"{}\"", role.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_role_opens_its_own_and_no_other() {
        let own = [(Area::Credentials, "keeper"), (Area::Chats, "Talk\"er")];
        let statements = grants(&Keyspaces::new("x_"), "shop", &own);
        let of = |role: &str| {
            let to = format!(" TO \"{role}\"");
            let granted = statements.iter().filter_map(|text| text.strip_suffix(&to));
            granted.filter_map(|text| text.strip_prefix("GRANT ")).collect::<Vec<_>>()
        };
        assert_eq!(
            of("keeper"),
            ["SELECT ON KEYSPACE x_credentials", "MODIFY ON KEYSPACE x_credentials"]
        );
        assert_eq!(of("Talk\"\"er"), ["SELECT ON KEYSPACE x_chats", "MODIFY ON KEYSPACE x_chats"]);
        let common = of("shop").join(", ");
        assert!(!common.contains("x_credentials") && !common.contains("x_chats"), "{common}");
        assert!(common.ends_with("SELECT ON TABLE x_operations.schema_steps"), "{common}");
        let created = statements.iter().filter(|text| text.starts_with("CREATE ROLE")).count();
        assert_eq!(created, 3);
    }
}
