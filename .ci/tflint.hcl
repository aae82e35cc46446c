# Every rule of the ruleset that tflint brings along: what is declared is used, typed, described and pinned.
config {
  call_module_type = "local"
}

plugin "terraform" {
  enabled = true
  preset  = "all"
}
