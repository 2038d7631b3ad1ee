package admission.lib.volumes_test

import data.admission.lib.volumes

mount(at, place, volume, more) := object.union(
	{
		"at": concat("/", ["/containerDefinitions", at]),
		"container": concat("/", ["/containerDefinitions", place]),
		"volume": volume,
		"path": "",
		"readOnly": false,
	},
	more,
)

test_volumes_are_found_by_their_pointers if {
	expected := {"/volumes/0": {"name": "a"}, "/volumes/1": {"host": {}}}
	volumes.at == expected with input.object.volumes as [{"name": "a"}, {"host": {}}]
}

test_a_mount_is_writable_unless_it_says_otherwise if {
	points := [
		{"sourceVolume": "a", "containerPath": "/a", "readOnly": true},
		{"sourceVolume": "b", "containerPath": "/b", "readOnly": false},
		{"sourceVolume": "c"},
	]
	found := volumes.mounts with input.object.containerDefinitions as [{"name": "app", "mountPoints": points}]
	found == {
		mount("0/mountPoints/0", "0", "a", {"path": "/a", "readOnly": true}),
		mount("0/mountPoints/1", "0", "b", {"path": "/b"}),
		mount("0/mountPoints/2", "0", "c", {}),
	}
}

test_the_volumes_of_another_container_are_had_as_it_has_them if {
	definitions := [
		{"name": "a", "mountPoints": [{"sourceVolume": "v"}, {"sourceVolume": "w", "readOnly": true}]},
		{"volumesFrom": [{"sourceContainer": "other"}, {"sourceContainer": "a"}]},
		{"volumesFrom": [{"sourceContainer": "a", "readOnly": true}]},
	]
	found := volumes.mounts with input.object.containerDefinitions as definitions
	found == {
		mount("0/mountPoints/0", "0", "v", {}),
		mount("0/mountPoints/1", "0", "w", {"readOnly": true}),
		mount("1/volumesFrom/1", "1", "v", {}),
		mount("1/volumesFrom/1", "1", "w", {"readOnly": true}),
		mount("2/volumesFrom/0", "2", "v", {"readOnly": true}),
		mount("2/volumesFrom/0", "2", "w", {"readOnly": true}),
	}
}

test_who_has_a_volume_is_told_from_who_may_write_to_it if {
	definitions := [
		{"mountPoints": [{"sourceVolume": "v"}]},
		{"mountPoints": [{"sourceVolume": "v", "readOnly": true}]},
	]
	expected := {"v": {"/containerDefinitions/0", "/containerDefinitions/1"}}
	volumes.mounting == expected with input.object.containerDefinitions as definitions
	volumes.writing == {"v": {"/containerDefinitions/0"}} with input.object.containerDefinitions as definitions
}

test_more_containers_than_ecs_takes_are_not_compared if {
	some_ := [{"mountPoints": [{"sourceVolume": "v"}]} | some _ in numbers.range(1, 20)]
	count(volumes.mounts) == 20 with input.object.containerDefinitions as some_
	many := array.concat(some_, [{"mountPoints": [{"sourceVolume": "v"}]}])
	count(volumes.mounts) == 0 with input.object.containerDefinitions as many
}

test_no_more_mounts_than_a_container_has_a_use_for_are if {
	points := [{"sourceVolume": format_int(n, 10)} | some n in numbers.range(1, 250)]
	count(volumes.mounts) == 100 with input.object.containerDefinitions as [{"mountPoints": points}]
}

test_no_more_than_twenty_are_taken_from_another if {
	points := [{"sourceVolume": format_int(n, 10)} | some n in numbers.range(1, 50)]
	definitions := [{"name": "a", "mountPoints": points}, {"volumesFrom": [{"sourceContainer": "a"}]}]
	count(volumes.mounts) == 70 with input.object.containerDefinitions as definitions
}

test_no_more_than_ten_times_are_volumes_taken if {
	from := [{"sourceContainer": "a"} | some _ in numbers.range(1, 50)]
	definitions := [{"name": "a", "mountPoints": [{"sourceVolume": "v"}]}, {"volumesFrom": from}]
	count(volumes.mounts) == 11 with input.object.containerDefinitions as definitions
}
