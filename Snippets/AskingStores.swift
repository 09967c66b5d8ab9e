// Asking the stores of a running application.
import Tributary

let builder = StreamsBuilder()
_ = builder.stream("words", of: String.self).groupByKey().count(as: "counts")
let app = try StreamsApplication(
    builder.build(), configuration: .init(applicationID: "counter", log: .embedded(at: "./counter-data")))

// snippet.query
let counts = try app.store("counts", of: Int64.self)

if let row = try await counts.get("swift") {
    print(row.value, row.timestamp)
    print(row.cell?.line ?? "cells are off")  // which records made it
}
let durable = try await counts.range(from: "a", through: "m", .committed)
// snippet.end
print(durable.count)
