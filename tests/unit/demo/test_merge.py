from argocd_agent.demo.merge import Fields, contains, merge_patch, three_way, without_nulls


def test_a_merge_patch_names_only_what_differs() -> None:
    before: Fields = {"same": 1, "gone": 2, "deep": {"same": True, "changed": "a"}, "list": [1, 2]}
    after: Fields = {"same": 1, "deep": {"same": True, "changed": "b"}, "list": [1, 3], "new": {"x": 1}}

    assert merge_patch(before, after) == {"gone": None, "deep": {"changed": "b"}, "list": [1, 3], "new": {"x": 1}}


def test_equal_values_need_no_patch() -> None:
    assert merge_patch({"a": {"b": [1]}}, {"a": {"b": [1]}}) == {}


def test_a_field_that_becomes_an_empty_object_is_patched() -> None:
    assert merge_patch({}, {"summary": {}}) == {"summary": {}}


def test_what_others_added_to_the_live_object_is_left_alone() -> None:
    desired: Fields = {"spec": {"replicas": 2}}
    live: Fields = {"spec": {"replicas": 2, "strategy": "added by the server"}, "status": {"ready": 2}}

    assert three_way(desired, desired, live) == {}


def test_what_was_applied_before_and_is_wanted_no_more_is_removed() -> None:
    last: Fields = {"data": {"kept": "1", "dropped": "2"}}
    live: Fields = {"data": {"kept": "1", "dropped": "2", "foreign": "3"}}

    assert three_way(last, {"data": {"kept": "1"}}, live) == {"data": {"dropped": None}}


def test_what_is_wanted_no_more_and_is_gone_already_needs_no_patch() -> None:
    assert three_way({"data": {"a": "1"}}, {}, {"kind": "ConfigMap"}) == {}


def test_drift_is_put_right() -> None:
    assert three_way({"spec": {"replicas": 2}}, {"spec": {"replicas": 2}}, {"spec": {"replicas": 5}}) == {
        "spec": {"replicas": 2}
    }


def test_a_list_whose_elements_contain_the_desired_ones_counts_as_equal() -> None:
    desired: Fields = {"containers": [{"name": "a", "image": "one"}]}
    defaulted: Fields = {"containers": [{"name": "a", "image": "one", "imagePullPolicy": "Always"}]}

    assert three_way(desired, desired, defaulted) == {}


def test_a_list_with_an_element_more_or_another_one_is_taken_whole() -> None:
    desired: Fields = {"containers": [{"name": "a"}]}

    assert three_way(desired, desired, {"containers": [{"name": "a"}, {"name": "b"}]}) == desired
    assert three_way(desired, desired, {"containers": [{"name": "b"}]}) == desired


def test_text_is_not_a_number() -> None:
    assert contains({"a": 1}, {"a": 1})
    assert not contains({"a": "1"}, {"a": 1})


def test_nulls_say_nothing_at_any_depth() -> None:
    assert without_nulls({"a": None, "b": {"c": None, "d": [{"e": None}]}}) == {"b": {"d": [{}]}}
