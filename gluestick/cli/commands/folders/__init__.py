"""Commands on folders of photographs."""
