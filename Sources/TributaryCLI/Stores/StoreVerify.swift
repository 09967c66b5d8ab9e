internal import TributaryCore
internal import TributaryLMDB

/// `tributary store verify`.
enum StoreVerify {
    static let spec = CommandSpec(
        words: ["store", "verify"],
        summary: "Reads the state of all tasks and checks it: pages, their order, each row's checksum.",
        details:
            "Reads the files without mapping them, so that a damaged one can neither crash it nor keep it for ever; memory is a bit for "
            + "each page. The application may run meanwhile: the files then grow a little until it is done. What is found wrong is "
            + "printed with its task, and the exit status is 1; an application that starts on such state builds it anew "
            + "from its changelogs.",
        options: [
            .text(
                "state", "DIR", "the application's state directory (<log>/state/<application id>), or one task's in it",
                required: true)
        ],
        examples: ["tributary store verify --state ./bank-data/state/bank"], run: { try run($0, $1) })

    private static func run(_ arguments: Arguments, _ console: Console) throws -> Int32 {
        var rows: UInt64 = 0
        var findings = 0
        for task in try StateFolder(arguments.required("state")).tasks {
            let check = StateCheck(directory: task.directory)
            rows += check.rows
            for finding in check.findings { console.line("task \(task.id): \(finding)") }
            findings += check.findings.count
        }
        let size = "\(NumberText.grouped(Int64(clamping: rows))) rows"
        console.line(findings == 0 ? "\(size): all is well" : "\(size): \(findings) findings")
        return findings == 0 ? 0 : 1
    }
}
