package admission.rules["environment-files"].invalid_test

import data.admission.rules["environment-files"].invalid as rule

place := "/containerDefinitions/1/environmentFiles"

task(files, more) := object.union(more, {"containerDefinitions": [{"name": "app"}, {"environmentFiles": files}]})

file := {"type": "s3", "value": "<redacted>"}

reference(field, problem) := [{"pointer": "/p", "field": field, "problem": problem}]

linux := {"runtimePlatform": {"operatingSystemFamily": "LINUX"}}

windows := {"runtimePlatform": {"operatingSystemFamily": "WINDOWS_SERVER_2022_CORE"}}

test_a_file_that_does_not_parse_is_a_finding[problem] if {
	some problem in ["malformed-arn", "extension"]
	expected := {{"at": "/p", "variant": problem}}
	rule.findings == expected with input.references as reference("environmentFiles", problem)
}

test_one_that_parses_or_another_reference_is_none if {
	rule.findings == set() with input.references as reference("environmentFiles", null)
	rule.findings == set() with input.references as reference("secrets", "malformed-arn")
}

test_another_type_is_a_finding[type] if {
	some type in ["S3", "file", "<redacted-1>"]
	expected := {{"at": concat("/", [place, "1", "type"]), "variant": "type"}}
	rule.findings == expected with input.object as task([file, {"type": type}], linux)
}

test_ten_files_are_enough if {
	ten := [file | some _ in numbers.range(1, 10)]
	rule.findings == set() with input.object as task(ten, linux)
	expected := {{"at": place, "variant": "too-many"}}
	rule.findings == expected with input.object as task(array.concat(ten, [file]), linux)
}

test_windows_takes_no_file if {
	rule.findings == {{"at": place, "variant": "windows"}} with input.object as task([file], windows)
	rule.findings == set() with input.object as task([], windows)
}

test_linux_and_a_platform_that_is_not_named_take_files[platform] if {
	some platform in [linux, {}, {"runtimePlatform": {"cpuArchitecture": "ARM64"}}]
	rule.findings == set() with input.object as task([file], platform)
}

test_an_override_is_looked_at if {
	files := [file | some _ in numbers.range(1, 11)]
	body := {"overrides": {"containerOverrides": [{"environmentFiles": files}]}}
	expected := {{"at": "/overrides/containerOverrides/0/environmentFiles", "variant": "too-many"}}
	rule.findings == expected with input.object as body
}
