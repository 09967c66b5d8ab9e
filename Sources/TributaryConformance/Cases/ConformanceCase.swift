/// A topology, what is done to it, and what Kafka Streams did.
public struct ConformanceCase: Sendable {
    /// The name.
    public let id: String
    /// What it is about, in a sentence; empty for random cases.
    public let about: String
    /// The settings.
    public var config: CaseConfig
    /// The statements, in order.
    public let topology: [Statement]
    /// The steps, in order.
    public let steps: [CaseStep]
    /// What Kafka Streams did.
    public let expected: CaseResult

    /// Reads a case.
    public init(json: JSONValue) throws(CaseError) {
        let fields = try CaseFields(json)
        let id = try fields.requiredText("id")
        do throws(CaseError) {
            self = try ConformanceCase(id: id, fields)
        } catch {
            var error = error
            error.caseID = id
            throw error
        }
    }

    private init(id: String, _ fields: CaseFields) throws(CaseError) {
        try fields.allowOnly([
            "id", "about", "rows", "seed", "config", "topology", "steps", "tieSensitive", "expected",
        ])
        self.id = id
        about = try fields.text("about") ?? ""
        let settings = try fields.fields("config") ?? CaseFields(JSONObject())
        config = try inside("config") { () throws(CaseError) in try CaseConfig(settings) }
        var topology: [Statement] = []
        for (index, value) in (try fields.list("topology") ?? []).enumerated() {
            topology.append(
                try inside("topology[\(index)]") { () throws(CaseError) in try Statement(value, index: index) })
        }
        self.topology = topology
        var steps: [CaseStep] = []
        for (index, value) in (try fields.list("steps") ?? []).enumerated() {
            steps.append(
                try inside("steps[\(index)]") { () throws(CaseError) in try CaseStep(try CaseFields(value)) })
        }
        self.steps = steps
        let result = try fields.requiredFields("expected")
        expected = try inside("expected") { () throws(CaseError) in try CaseResult(result) }
    }
}

extension ConformanceCase {
    /// The topics that records are piped into, in order: those that a pattern may mean.
    var pipedTopics: [String] {
        var topics: [String] = []
        for case .pipe(let record) in steps where !topics.contains(record.topic) { topics.append(record.topic) }
        return topics
    }
}
