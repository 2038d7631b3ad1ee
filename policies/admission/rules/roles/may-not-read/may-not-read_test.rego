package admission.rules.roles["may-not-read_test"]

import data.admission.rules.roles["may-not-read"] as rule

reference(field, service) := {"pointer": "/r", "field": field, "service": service}

fact(attributes) := object.union({"kind": "reference", "pointer": "/r", "status": "known"}, attributes)

request(found, facts) := {"references": [found], "facts": facts}

all_well := {"readable": true, "decryptable": true}

not_readable := object.union(all_well, {"readable": false})

expected := [
	[reference("secrets", "secretsmanager"), {"at": "/r"}],
	[reference("repositoryCredentials", "secretsmanager"), {"at": "/r"}],
	[reference("secretOptions", "ssm"), {"at": "/r", "variant": "parameter"}],
	[reference("environmentFiles", "s3"), {"at": "/r", "variant": "object"}],
	[reference("application", "ssm"), {"at": "/r", "variant": "task-role"}],
	[reference("application", "secretsmanager"), {"at": "/r", "variant": "task-role"}],
	[reference("secrets", null), {"at": "/r"}],
]

test_what_the_role_may_not_read_is_a_finding[i] if {
	some i, [found, finding] in expected
	rule.findings == {finding} with input as request(found, [fact(not_readable)])
}

test_what_it_may_not_decrypt_is_one[field] if {
	some field in ["secrets", "application"]
	known := fact(object.union(all_well, {"decryptable": false}))
	finding := {"at": "/r", "variant": "decrypt"}
	rule.findings == {finding} with input as request(reference(field, "ssm"), [known])
}

test_what_it_may_do_is_none if {
	rule.findings == set() with input as request(reference("secrets", "ssm"), [fact(all_well)])
}

unknown := [
	[],
	[fact({})],
	[fact({"readable": true})],
	[fact({"decryptable": true})],
	[object.union(fact(all_well), {"pointer": "/other"})],
	[object.union(fact(all_well), {"kind": "role"})],
]

test_what_is_not_known_is_said_once[facts] if {
	some facts in unknown
	references := [reference("secrets", "ssm"), object.union(reference("secrets", "ssm"), {"pointer": "/s"})]
	rule.findings == {{"at": "", "variant": "unknown"}} with input as {"references": references, "facts": facts}
}

test_what_no_role_reads_is_none[facts] if {
	some facts in [[], [fact(not_readable)], [fact({"decryptable": false})]]
	rule.findings == set() with input as request(reference("environment", "ssm"), facts)
}

test_without_references_nothing_has_to_be_known if {
	rule.findings == set() with input as {"references": [], "facts": [{"kind": "role", "pointer": "/taskRoleArn"}]}
}
