// Visits of a site: `views` (user: page) in, `visits` (user, from when to when: pages) out.
//
// A visit ends when its user has looked at nothing for half an hour. While it goes on, each view replaces it by a longer one; and a
// view that comes late may make one visit of two.
//
//     Visits LOG
import Tributary

@main struct Visits: TributaryApp {
    let configuration = StreamsConfiguration(
        applicationID: "visits", log: .embedded(at: CommandLine.arguments.dropFirst().first ?? "./data"))

    func build(_ builder: StreamsBuilder) throws {
        builder.stream("views", of: View.self)
            .groupByKey()
            .windowedBy(.inactivity(gap: .seconds(30 * 60), grace: .seconds(60 * 60)))
            .aggregate(into: Visit(), as: "visits", merging: { visit, other in visit.add(other) }) { visit, view in
                visit.add(view)
            }
            .toStream()
            .to("visits", key: .sessionWindowed(.string))
    }
}

struct View: JSONRecordable {
    var page: String
}

/// How often each page was looked at.
struct Visit: JSONRecordable {
    var pages: [String: Int] = [:]

    mutating func add(_ view: View) { pages[view.page, default: 0] += 1 }
    mutating func add(_ other: Visit) { pages.merge(other.pages) { $0 + $1 } }
}
