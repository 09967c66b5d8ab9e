import Testing

@Suite struct UsageTests {
    @Test(arguments: [
        (["nonsense"], "there is no command 'nonsense'"), (["topisc"], "did you mean 'topics'?"),
        (["topics"], "'topics' needs one of: list, describe, create, delete, produce, consume, verify"),
        (["topics", "nix"], "there is no 'topics nix'"),
        (["topics", "list"], "--log DIR or --kafka HOST:PORT is missing"),
        (["topics", "list", "--lgo", "x"], "did you mean '--log'?"),
        (["topics", "list", "--log"], "--log needs a value"),
        (["topics", "list", "--log", "x", "y"], "'y' is one operand too many"),
        (["topics", "list", "--log", "x", "--json=1"], "--json takes no value"),
        (["topics", "list", "--log", "x", "--log", "y"], "--log is given twice"),
        (["topics", "create", "--log", "x"], "TOPIC is missing"),
        (
            ["topics", "create", "t", "--log", "x", "--partitions", "two"],
            "--partitions needs a whole number, not 'two'"
        ),
        (["topics", "consume", "t", "--log", "x", "--key-format", "y"], "--key-format is one of auto, text, hex"),
        (["topics", "consume", "t", "--log", "x", "--from", "-3"], "--from is 'beginning'"),
        (["trace", "abc", "--traces", "x"], "neither 32 hexadecimal digits nor a traceparent"),
        (["trace", "--traces", "x", "--key", "k"], "--key needs --state and --store, too"),
        (["help", "nix"], "there is no command 'nix'"),
    ])
    func `what can't be understood ends with 2 and says why`(_ arguments: [String], _ words: String) async {
        let run = await CommandRun(arguments)
        #expect(run.status == 2)
        #expect(run.output.isEmpty)
        #expect(run.complaint.contains(words), "\(run.complaint)")
        #expect(run.errors.last?.contains("'tributary help") == true)
    }

    @Test func `help lists every command and hides the demo's child`() async {
        let run = await CommandRun("--help")
        #expect(run.status == 0 && run.errors.isEmpty)
        for word in ["demo", "topics produce", "changelog replay", "store get", "trace", "Exit status"] {
            #expect(run.text.contains(word))
        }
        #expect(!run.text.contains("demo-app"))
        let bare = await CommandRun([])
        #expect(bare.output == run.output)
    }

    @Test(arguments: [["topics", "consume", "--help"], ["help", "topics", "consume"], ["topics", "consume", "-h"]])
    func `a command's help names its operands, options and examples`(_ arguments: [String]) async {
        let run = await CommandRun(arguments)
        #expect(run.status == 0)
        #expect(
            run.output.first?.hasPrefix("usage: tributary topics consume TOPIC --log DIR|--kafka ... [options]") == true
        )
        for word in ["--from WHERE", "--follow", "Examples:", "(required)"] { #expect(run.text.contains(word)) }
        #expect(run.text.split(separator: "\n").allSatisfy { $0.count <= 120 })
    }

    @Test func `a group's help lists its commands`() async {
        let run = await CommandRun("store", "--help")
        #expect(run.status == 0)
        #expect(run.text.contains("store stats"))
        #expect(!run.text.contains("topics"))
    }

    @Test func `the version is said`() async {
        let run = await CommandRun("--version")
        #expect(run.status == 0 && run.text.hasPrefix("tributary "))
    }
}
