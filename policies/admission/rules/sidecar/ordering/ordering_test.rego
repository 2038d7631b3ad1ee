package admission.rules.sidecar.ordering_test

import data.admission.rules.sidecar.ordering

injector := {"name": "a", "image": "amazon/aws-secrets-manager-secret-sidecar:v0.1.1", "essential": false}

writer := {"name": "a", "image": "a:1"}

healthy := {"healthCheck": {"command": ["CMD"]}}

# The second container writes a secret for the first.
pairs := {{"reader": "/containerDefinitions/0", "writer": "/containerDefinitions/1", "volume": "v"}}

waiting(name, other, condition) := {"name": name, "dependsOn": [{"containerName": other, "condition": condition}]}

missing := {{"at": "/containerDefinitions/0/dependsOn", "variant": "missing"}}

wrong(variant) := {{"at": "/containerDefinitions/0/dependsOn/0/condition", "variant": variant}}

test_a_reader_that_waits_for_nobody_is_a_finding[sidecar] if {
	some sidecar in [injector, writer]
	ordering.findings == missing with input.object.containerDefinitions as [{"name": "app"}, sidecar]
		with data.admission.lib.sidecar.pairs as pairs
}

test_a_reader_that_waits_for_another_is_a_finding if {
	definitions := [waiting("app", "proxy", "SUCCESS"), writer, {"name": "proxy"}]
	ordering.findings == missing with input.object.containerDefinitions as definitions
		with data.admission.lib.sidecar.pairs as pairs
}

test_a_start_is_too_early[sidecar] if {
	some sidecar in [injector, writer, object.union(writer, healthy)]
	definitions := [waiting("app", "a", "START"), sidecar]
	ordering.findings == wrong("start") with input.object.containerDefinitions as definitions
		with data.admission.lib.sidecar.pairs as pairs
}

test_a_condition_that_nobody_knows_is_taken_for_a_start if {
	definitions := [waiting("app", "a", "<redacted-1>"), writer]
	ordering.findings == wrong("start") with input.object.containerDefinitions as definitions
		with data.admission.lib.sidecar.pairs as pairs
}

test_a_sidecar_that_exits_is_never_healthy[sidecar] if {
	some sidecar in [injector, object.union(injector, healthy)]
	definitions := [waiting("app", "a", "HEALTHY"), sidecar]
	ordering.findings == wrong("exits") with input.object.containerDefinitions as definitions
		with data.admission.lib.sidecar.pairs as pairs
}

test_a_sidecar_without_a_check_is_never_healthy if {
	definitions := [waiting("app", "a", "HEALTHY"), writer]
	ordering.findings == wrong("no-health-check") with input.object.containerDefinitions as definitions
		with data.admission.lib.sidecar.pairs as pairs
}

test_a_sidecar_that_stays_never_ends[condition] if {
	some condition in ["COMPLETE", "SUCCESS"]
	definitions := [waiting("app", "a", condition), object.union(writer, healthy)]
	ordering.findings == wrong("stays") with input.object.containerDefinitions as definitions
		with data.admission.lib.sidecar.pairs as pairs
}

test_one_that_may_end_is_waited_for[sidecar][condition] if {
	some sidecar in [
		injector,
		writer,
		object.union(injector, healthy),
		object.union_n([injector, healthy, {"essential": true}]),
		object.union_n([writer, healthy, {"essential": false}]),
	]
	some condition in ["COMPLETE", "SUCCESS"]
	definitions := [waiting("app", "a", condition), sidecar]
	ordering.findings == set() with input.object.containerDefinitions as definitions
		with data.admission.lib.sidecar.pairs as pairs
}

test_one_that_can_be_healthy_is_waited_for if {
	definitions := [waiting("app", "a", "HEALTHY"), object.union(writer, healthy)]
	ordering.findings == set() with input.object.containerDefinitions as definitions
		with data.admission.lib.sidecar.pairs as pairs
}

test_waiting_for_one_that_waits_is_enough[condition] if {
	some condition in ["START", "HEALTHY"]
	definitions := [waiting("app", "web", condition), writer, waiting("web", "a", "SUCCESS")]
	ordering.findings == set() with input.object.containerDefinitions as definitions
		with data.admission.lib.sidecar.pairs as pairs
}

test_waiting_for_one_that_waits_for_health_is_enough if {
	definitions := [waiting("app", "web", "START"), object.union(writer, healthy), waiting("web", "a", "HEALTHY")]
	ordering.findings == set() with input.object.containerDefinitions as definitions
		with data.admission.lib.sidecar.pairs as pairs
}

test_waiting_for_one_that_does_not_is_not_enough if {
	definitions := [waiting("app", "web", "START"), writer, waiting("web", "a", "START")]
	ordering.findings == missing with input.object.containerDefinitions as definitions
		with data.admission.lib.sidecar.pairs as pairs
}

test_that_another_waits_is_not_enough if {
	definitions := [{"name": "app"}, writer, waiting("web", "a", "SUCCESS")]
	ordering.findings == missing with input.object.containerDefinitions as definitions
		with data.admission.lib.sidecar.pairs as pairs
}

test_a_start_beside_a_better_wait_is_none if {
	both := array.concat(waiting("app", "a", "START").dependsOn, waiting("app", "a", "SUCCESS").dependsOn)
	ordering.findings == set() with input.object.containerDefinitions as [{"name": "app", "dependsOn": both}, writer]
		with data.admission.lib.sidecar.pairs as pairs
}

test_containers_that_share_no_secret_are_none if {
	definitions := [waiting("app", "a", "START"), writer]
	ordering.findings == set() with input.object.containerDefinitions as definitions
}

test_a_sidecar_that_waits_for_its_reader_is_told_apart[condition] if {
	some condition in ["START", "SUCCESS"]
	definitions := [{"name": "app"}, object.union(injector, waiting("a", "app", condition))]
	expected := {{"at": "/containerDefinitions/0/dependsOn", "variant": "reversed"}}
	ordering.findings == expected with input.object.containerDefinitions as definitions
		with data.admission.lib.sidecar.pairs as pairs
	ordering.findings == set() with input.object.containerDefinitions as definitions
		with data.admission.lib.sidecar.unawaited_pairs as pairs
}

test_one_that_is_only_likely_to_write_a_secret_is_told_apart[definitions] if {
	some definitions in [[{"name": "app"}, writer], [waiting("app", "a", "START"), writer]]
	expected := {{"at": "/containerDefinitions/0/dependsOn", "variant": "likely"}}
	ordering.findings == expected with input.object.containerDefinitions as definitions
		with data.admission.lib.sidecar.unawaited_pairs as pairs
}

test_one_that_is_likely_and_waited_for_is_none if {
	definitions := [waiting("app", "a", "HEALTHY"), object.union(writer, healthy)]
	ordering.findings == set() with input.object.containerDefinitions as definitions
		with data.admission.lib.sidecar.unawaited_pairs as pairs
}
