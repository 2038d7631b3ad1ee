package admission.rules.bounds.exceeded_test

import data.admission.rules.bounds.exceeded

test_something_left_out_is_a_finding if {
	exceeded.findings == {{"at": ""}} with input.counts.left_out as 1
}

test_nothing_left_out_is_none if {
	exceeded.findings == set() with input.counts.left_out as 0
}

test_mounts_that_are_not_looked_at_are_a_finding if {
	points := [{"sourceVolume": "v"} | some _ in numbers.range(1, 101)]
	exceeded.findings == {{"at": ""}} with input.object.containerDefinitions as [{"mountPoints": points}]
		with input.counts.left_out as 0
}
