internal import TributaryCore

/// `tributary groups list`, `describe`, `offsets`.
enum GroupsCommands {
    private static let name = OperandSpec(name: "GROUP", summary: "the group: an application's id")

    static let specs = [
        CommandSpec(
            words: ["groups", "list"],
            summary: "Lists the groups: how far they have read, and whether somebody is in them.",
            details:
                "Each application is a group under its id. Lag is how many offsets lie between what a group has committed and "
                + "the ends of the partitions.",
            options: LogAccess.options + [TopicsCommands.json],
            examples: ["tributary groups list --log ./bank-data", "tributary groups list --kafka localhost:9092"],
            run: { arguments, console in
                let log = try LogAccess.open(arguments, for: .reading)
                defer { log.close() }
                let groups = try log.groups().map { try GroupReport($0, log) }
                if arguments.has("json") {
                    for group in groups { try console.row(group.json) }
                } else if groups.isEmpty {
                    console.note("there are no groups: no application has committed anything")
                } else {
                    let width = groups.map(\.group.name.count).max() ?? 0
                    for group in groups {
                        let pad = String(repeating: " ", count: width - group.group.name.count)
                        try console.row("\(group.group.name)\(pad)  \(group.summary)")
                    }
                }
                return 0
            }),
        CommandSpec(
            words: ["groups", "describe"], summary: "Shows who is in a group, and its lag topic by topic.",
            operands: [name], options: LogAccess.options + [TopicsCommands.json],
            examples: ["tributary groups describe bank --log ./bank-data"],
            run: { try show($0, $1) { $0.lines } }),
        CommandSpec(
            words: ["groups", "offsets"],
            summary: "Shows what a group has committed, partition by partition, with the partition's ends.",
            details: "'tributary reset' changes them.", operands: [name],
            options: LogAccess.options + [TopicsCommands.json],
            examples: ["tributary groups offsets bank --log ./bank-data"],
            run: { try show($0, $1) { $0.offsets } }),
    ]

    private static func show(
        _ arguments: Arguments, _ console: Console, _ lines: (GroupReport) -> [String]
    ) throws -> Int32 {
        let log = try LogAccess.open(arguments, for: .reading)
        defer { log.close() }
        let report = try GroupReport.find(arguments.operand(0), log)
        if arguments.has("json") {
            console.line(report.json)
        } else {
            for line in lines(report) { try console.row(line) }
        }
        return 0
    }
}
