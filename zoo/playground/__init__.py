"""The playground: a page on which one plays with trained models in the browser.

`catalog` lists the views, each in a file of its own: a plain function from what a person did to
what is shown, computed by `zoo.evaluation` and `zoo.predict`. `view` says what a view consists of,
`controls` and `panels` what the page can ask for and show. `worker` computes views in a process of
its own, `app` has the paths, and `page` is the page itself: HTML, CSS and JavaScript.
"""
