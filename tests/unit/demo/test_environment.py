from argocd_agent.demo.programs import environment


def test_settings_of_the_users_own_programs_stay_out_of_the_demo() -> None:
    found = environment({"PATH": "/bin", "ARGOCD_AGENT_MODE": "autonomous", "KUBECONFIG": "/x", "REDIS_PASSWORD": "y"})

    assert found["PATH"] == "/bin"
    assert not any(name.startswith(("ARGOCD_", "REDIS_", "KUBECONFIG")) for name in found)


def test_loopback_is_never_sent_through_a_proxy() -> None:
    found = environment({"HTTPS_PROXY": "http://proxy:3128", "NO_PROXY": "internal.example"})

    assert found["HTTPS_PROXY"] == "http://proxy:3128"
    assert found["NO_PROXY"] == found["no_proxy"] == "internal.example,127.0.0.1,localhost"
