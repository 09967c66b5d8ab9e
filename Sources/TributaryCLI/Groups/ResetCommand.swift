internal import TributaryCore
internal import TributaryLMDB

/// `tributary reset`.
enum ResetCommand {
    static let spec = CommandSpec(
        words: ["reset"],
        summary: "Has an application begin anew: moves its offsets, deletes its own topics and its state.",
        details:
            "The application must be stopped. Its offsets of input topics go to the place that --to says, the topics that are its own "
            + "(<application>-...-changelog, -repartition, on Kafka -tasks) are deleted, and with --local-state its state, too; without, "
            + "state whose changelog is gone is dropped when the application starts. Topics that the application wrote results to "
            + "stay as they are.\n"
            + "Without --yes nothing is done. An interrupted reset is done again by the same command.",
        operands: [OperandSpec(name: "APPLICATION", summary: "the application's id")],
        options: LogAccess.options + [
            .text("to", "WHERE", "'beginning' (the default), 'end', an offset, or 'time:' and a time"),
            .text(
                "input-topic", "TOPIC", "move the offsets of this topic only; may be given several times",
                repeated: true),
            .flag("local-state", "delete the state on this machine: <log>/state/<application>, or what --state says"),
            .text("state", "DIR", "the application's state directory, to be deleted, too"),
            .flag("dry-run", "only show what would be done"), .flag("yes", "really do it"),
        ],
        examples: [
            "tributary reset bank --log ./bank-data --dry-run",
            "tributary reset bank --log ./bank-data --local-state --yes",
            "tributary reset bank --to time:2026-01-31T12:00:00Z --state ./state/bank --kafka localhost:9092 --yes",
        ], run: { try run($0, $1) })

    private static func run(_ arguments: Arguments, _ console: Console) throws -> Int32 {
        let application = try arguments.operand(0)
        let isDry = arguments.has("dry-run")
        let start = try TopicStart(arguments["to"], option: "--to")
        let log = try LogAccess.open(arguments, for: isDry ? .reading : .writing)
        defer { log.close() }
        if let group = try log.groups().first(where: { $0.name == application }), !group.members.isEmpty {
            throw running(application, group.members.joined(separator: ", "))
        }
        let state = try stateDirectory(arguments, log, application)
        let topics = try arguments.all("input-topic").map { try LogAccess.topic($0, of: log).name }
        let plan = try ResetPlan(application, log, start: start, inputTopics: topics, state: state)
        for line in plan.lines { try console.row(line) }
        if isDry {
            console.note("nothing was changed: --dry-run")
            return 0
        }
        guard arguments.has("yes") else {
            throw UsageError("this can't be undone, and nothing was done: add --yes, or --dry-run to look only")
        }
        do throws(LogError) { try carryOut(plan, log) } catch {
            throw error.code == .inUse ? running(application, error.message) : error
        }
        if let state = plan.state { try StateDirectory.delete(state) }
        console.note("'\(application)' begins anew when it is started")
        return 0
    }

    private static func running(_ application: String, _ who: String) -> CommandError {
        CommandError("'\(application)' is running: stop it first (\(who))")
    }

    private static func carryOut(_ plan: ResetPlan, _ log: any Log) throws(LogError) {
        let offsets = Dictionary(uniqueKeysWithValues: plan.moves.map { ($0.place, CommittedOffset($0.to)) })
        // On an embedded log its application can't start until all is done.
        let member = try (log as? EmbeddedLog)?.joinGroup(
            GroupConfiguration(group: plan.application, clientID: "tributary-reset", tasks: 0))
        defer { member?.leave() }
        if let member {
            try member.commit(offsets)
        } else {
            try log.setCommittedOffsets(offsets, group: plan.application)
        }
        try log.deleteTopics(plan.topics)
    }

    /// The folder of the state that is to be deleted; nil if it stays, or isn't there.
    private static func stateDirectory(
        _ arguments: Arguments, _ log: any Log, _ application: String
    ) throws -> String? {
        if let path = arguments["state"] {
            guard Files.isFolder(path) else { throw CommandError("there is no folder '\(path)'") }
            return path
        }
        guard arguments.has("local-state") else { return nil }
        guard let parent = log.defaults.stateDirectory else {
            throw UsageError("--local-state needs --state DIR here: only an embedded log has a place for state")
        }
        let path = "\(parent)/\(application)"
        return Files.isFolder(path) ? path : nil
    }
}

/// What a reset of an application does.
struct ResetPlan {
    /// An offset that goes from one place to another.
    struct Move {
        var place: TopicPartition
        var from: Int64?
        var to: Int64
    }

    let application: String
    private(set) var moves: [Move] = []
    /// The topics to be deleted.
    let topics: [String]
    /// The state to be deleted.
    let state: String?

    init(_ application: String, _ log: any Log, start: TopicStart, inputTopics: [String], state: String?) throws {
        self.application = application
        self.state = state
        let all = try log.topics()
        let groups = try log.groups().map(\.name)
        let own = Set(Self.ownTopics(of: application, all.map(\.name), others: groups))
        topics = own.sorted()
        let committed = try log.committedOffsets(group: application)
        let chosen = inputTopics.isEmpty ? Set(committed.keys.map(\.topic)) : Set(inputTopics)
        for topic in all where chosen.contains(topic.name) && !own.contains(topic.name) {
            for number in 0..<topic.partitions {
                let place = TopicPartition(topic.name, number)
                let ends = try log.watermarks(place, committed: true)
                let target = try start.offset(in: place, of: log, ends)
                moves.append(Move(place: place, from: committed[place]?.offset, to: target))
            }
        }
        guard moves.isEmpty, topics.isEmpty, state == nil else { return }
        let near = groups.min { distance($0, application) < distance($1, application) }
        let isNear = near.map { distance($0, application) <= 3 } ?? false
        let hint = isNear ? "; did you mean '\(near ?? "")'?" : "; 'tributary groups list' shows those that are there"
        throw CommandError("there is nothing of an application '\(application)'\(hint)")
    }

    /// The internal topics of an application, by their names; those of another whose id begins with this one's are its own.
    static func ownTopics(of application: String, _ topics: [String], others: [String]) -> [String] {
        let longer = others.filter { $0.hasPrefix("\(application)-") }
        return topics.filter { topic in
            guard topic.hasPrefix("\(application)-"), !longer.contains(where: { topic.hasPrefix("\($0)-") }) else {
                return false
            }
            return topic.hasSuffix("-changelog") || topic.hasSuffix("-repartition") || topic == "\(application)-tasks"
        }
    }

    /// A line for each step.
    var lines: [String] {
        moves.map { move in
            let from = move.from.map { "\($0)" } ?? "nothing"
            return "\(move.place)  committed \(from) -> \(move.to)"
        } + topics.map { "delete the topic \($0)" } + (state.map { ["delete the state in \($0)"] } ?? [])
    }
}
