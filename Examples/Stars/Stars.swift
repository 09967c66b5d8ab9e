// Who stars two repositories within ten days: `swift-stars` and `kafka-stars` (user: when) in; asked over HTTP.
//
//     Stars LOG [PORT]
//     curl http://localhost:8080/fans              how many there are, and who
//     curl http://localhost:8080/fans/ada          when she starred which, and which records say so
import Tributary
import TributaryWeb

@main final class Stars: TributaryApp {
    let configuration = StreamsConfiguration(
        applicationID: "stars", log: .embedded(at: CommandLine.arguments.dropFirst().first ?? "./data"))
    private var web: WebServer?

    func build(_ builder: StreamsBuilder) throws {
        let kafka = builder.stream("kafka-stars", of: Star.self, timestamp: \.at)
        _ = builder.stream("swift-stars", of: Star.self, timestamp: \.at)
            .join(kafka, within: .within(.seconds(10 * 86_400))) { swift, kafka in
                Fan(swift: swift.at, kafka: kafka.at)
            }
            .toTable(as: "fans")
    }

    func prepare(_ application: StreamsApplication) async throws {
        let fans = try application.store("fans", of: Fan.self)
        let port = CommandLine.arguments.dropFirst(2).first.flatMap { UInt16($0) } ?? 8080
        web = try WebServer(
            application, WebConfiguration(port: port),
            pages: [
                "/fans": { _ in
                    let users = try await fans.all().map(\.key).sorted()
                    return try .json(Fans(count: users.count, users: users))
                },
                "/fans/": { request in
                    guard let fan = try await fans.get(request.rest) else { return .notFound }
                    return try .json(Answer(swift: fan.value.swift, kafka: fan.value.kafka, from: fan.cell?.line ?? ""))
                },
            ])
    }
}

struct Star: JSONRecordable {
    /// When, ms.
    var at: Int64
}

/// When somebody starred both, ms.
struct Fan: JSONRecordable {
    var swift: Int64
    var kafka: Int64
}

struct Fans: Encodable {
    var count: Int
    var users: [String]
}

struct Answer: Encodable {
    var swift: Int64
    var kafka: Int64
    /// The records that it is from.
    var from: String
}
