"""The intermediate representations: types, formats, graph, schedule, kernel."""
