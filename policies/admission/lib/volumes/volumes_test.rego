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
	some_ := [{"mountPoints": [{"sourceVolume": "v"}]} | some _ in numbers.range(1, 10)]
	count(volumes.mounts) == 10 with input.object.containerDefinitions as some_
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

test_who_can_only_read_a_volume_is_told_from_who_may_write if {
	definitions := [
		{"mountPoints": [{"sourceVolume": "v"}, {"sourceVolume": "v", "readOnly": true}]},
		{"mountPoints": [{"sourceVolume": "v", "readOnly": true}, {"sourceVolume": "w", "readOnly": true}]},
	]
	expected := {"v": {"/containerDefinitions/1"}, "w": {"/containerDefinitions/1"}}
	volumes.reading == expected with input.object.containerDefinitions as definitions
}

efs(name, id, more) := {"name": name, "efsVolumeConfiguration": object.union({"fileSystemId": id}, more)}

point(id) := {"authorizationConfig": {"accessPointId": id}}

test_names_of_the_same_place_are_twins if {
	asked := [
		{"name": "a", "host": {"sourcePath": "/srv"}},
		{"name": "b", "host": {"sourcePath": "/srv/"}},
		{"name": "c", "host": {"sourcePath": "/srv/data"}},
		{"name": "d", "host": {"sourcePath": ""}},
		{"name": "e", "host": {}},
		efs("f", "fs-1", {}),
		efs("g", "fs-1", {"rootDirectory": "/"}),
		efs("h", "fs-1", {"rootDirectory": "/data"}),
		efs("i", "fs-2", {}),
		efs("j", "fs-1", point("fsap-1")),
		efs("k", "fs-1", point("fsap-1")),
		{"host": {"sourcePath": "/srv"}},
		{"name": "l", "host": {"sourcePath": "/srv/twice"}},
		{"name": "l", "host": {"sourcePath": "/srv/once"}},
		{"name": "m", "host": {"sourcePath": "/srv/once/"}},
	]
	found := volumes.twins with input.object.volumes as asked
	found == {
		"a": {"a", "b"},
		"b": {"a", "b"},
		"c": {"c"},
		"d": {"d"},
		"e": {"e"},
		"f": {"f", "g"},
		"g": {"f", "g"},
		"h": {"h"},
		"i": {"i"},
		"j": {"j", "k"},
		"k": {"j", "k"},
		"l": {"l", "m"},
		"m": {"l", "m"},
	}
}

mounting(name, number) := {"name": name, "mountPoints": [{"sourceVolume": format_int(n, 10)} |
	some n in numbers.range(1, number)
]}

taking(number) := {"volumesFrom": [{"sourceContainer": "a"} | some _ in numbers.range(1, number)]}

test_what_is_not_looked_at_is_said[definitions] if {
	some definitions in [
		array.concat([{"name": "b"} | some _ in numbers.range(1, 10)], [mounting("a", 1)]),
		array.concat([{"name": "b"} | some _ in numbers.range(1, 10)], [taking(1)]),
		[{"name": "b"}, mounting("a", 101)],
		[mounting("a", 1), taking(11)],
		[mounting("a", 21), taking(1)],
		[mounting("a", 21), mounting("b", 1), {"volumesFrom": [{"sourceContainer": "b"}, {"sourceContainer": "a"}]}],
	]
	volumes.exceeded with input.object.containerDefinitions as definitions
}

same(number) := [{"name": format_int(n, 10), "host": {"sourcePath": "/srv"}} | some n in numbers.range(1, number)]

test_more_names_of_a_place_than_anybody_gives_are_not_compared if {
	count(volumes.twins) == 4 with input.object.volumes as same(4)
	not volumes.exceeded with input.object.volumes as same(4)
	volumes.exceeded with input.object.volumes as same(5)
	{names | some names in volumes.twins} == {set()} with input.object.volumes as same(5)
}

test_what_is_looked_at_is_not_exceeded[definitions] if {
	some definitions in [
		[],
		[{"name": "b"} | some _ in numbers.range(1, 30)],
		[mounting("a", 1) | some _ in numbers.range(1, 10)],
		[mounting("a", 100)],
		[mounting("a", 20), taking(10)],
		[mounting("a", 20), {"volumesFrom": [{"sourceContainer": "b"}]}],
	]
	not volumes.exceeded with input.object.containerDefinitions as definitions
}
