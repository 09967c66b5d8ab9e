// A store of a running application, served over HTTP.
import Tributary
import TributaryWeb

let builder = StreamsBuilder()
_ = builder.stream("words", of: String.self).groupByKey().count(as: "counts")
let app = try StreamsApplication(
    builder.build(), configuration: .init(applicationID: "counter", log: .embedded(at: "./counter-data")))

// snippet.pages
let counts = try app.store("counts", of: Int64.self)
let web = try WebServer(
    app,
    pages: [
        "/counts/": { request in  // and all below it: /counts/swift
            guard let row = try await counts.get(request.rest) else { return .notFound }
            return try .json(["count": row.value])
        }
    ])
// snippet.end
try await app.run()
web.stop()
