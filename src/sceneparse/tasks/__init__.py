"""Complete jobs such as train, evaluate and plan, composed of the layers below."""
