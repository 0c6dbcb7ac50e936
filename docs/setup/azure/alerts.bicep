// The alerts and the operator who receives them. docs/operations.md has a row for each alert.
// Each query returns rows only if something is wrong. So each rule fires on more than 0 rows.
param prefix string
param location string
param workspaceId string
param email string
param collectorApp string
param syncApp string

@description('Whether the rules are evaluated. Nothing works before the last step of README.md.')
param alertsOn bool

// The error of a failed run. Its list, if there is one, begins with the cause.
var texts = join(
  [
    'summarize Text = take_any(InnermostMessage) by OperationId'
    'extend Text = replace_regex(Text, @"^Result: \\w*\\s+Exception: ", "")'
  ],
  ' | '
)

// The last sweep. An alert about it stays until the next sweep.
var lastSweep = join(
  [
    'AppRequests'
    'where AppRoleName =~ "${syncApp}" and Name == "SnowflakePusher"'
    'summarize arg_max(TimeGenerated, Success, OperationId)'
  ],
  ' | '
)
var itsErrors = 'join kind=inner (AppExceptions | where AppRoleName =~ "${syncApp}") on OperationId'

var alerts = [
  {
    name: 'a-run-failed'
    description: 'A run failed. Nothing is lost yet: Salesforce keeps events for 72 hours.'
    severity: 1
    every: 'PT15M'
    window: 'PT30M'
    shown: ['Function', 'Error', 'Cause']
    query: join(
      [
        'AppRequests'
        'where AppRoleName in~ ("${collectorApp}", "${syncApp}") and Success == false'
        'join kind=leftouter (AppExceptions | ${texts}) on OperationId'
        'extend Error = extract(@"^[^\\r\\n]{0,300}", 0, Text)'
        'extend Cause = extract(@"\\n  - ([^\\r\\n]{0,300})", 1, Text)'
        'extend Cause = replace_regex(Cause, @" *\\(rpcId[^)]*\\)", "")'
        'project TimeGenerated, Function = Name, Error, Cause'
      ],
      ' | '
    )
  }
  {
    name: 'no-successful-poll'
    description: 'No poll has succeeded for three intervals. After 72 hours deletes are lost.'
    severity: 0
    every: 'PT30M'
    window: 'PT2H'
    shown: []
    query: join(
      [
        'AppRequests'
        'where AppRoleName =~ "${collectorApp}" and Name == "TimerPoller" and Success == true'
        'summarize Runs = count()'
        'where Runs < 1'
      ],
      ' | '
    )
  }
  {
    name: 'no-successful-sweep'
    description: 'No sweep has succeeded for two days. Nothing is lost: event files wait.'
    severity: 2
    every: 'PT6H'
    window: 'P2D'
    shown: []
    query: join(
      [
        'AppRequests'
        'where AppRoleName =~ "${syncApp}" and Name == "SnowflakePusher" and Success == true'
        'summarize Runs = count()'
        'where Runs < 1'
      ],
      ' | '
    )
  }
  {
    name: 'the-last-sweep-failed'
    description: 'The alert stays until a sweep succeeds. Nothing is lost: event files wait.'
    severity: 2
    every: 'PT1H'
    window: 'P2D'
    shown: []
    query: join([lastSweep, 'where Success == false'], ' | ')
  }
  {
    name: 'event-files-wait'
    description: 'An event file has been pending for longer than MAX_BACKLOG_HOURS.'
    severity: 2
    every: 'PT1H'
    window: 'P2D'
    shown: []
    query: join([lastSweep, itsErrors, 'where InnermostMessage has "BacklogError"'], ' | ')
  }
  {
    name: 'the-collector-is-silent'
    description: 'A topic was not read for MAX_SILENCE_HOURS. At 72 hours events are lost.'
    severity: 0
    every: 'PT1H'
    window: 'P2D'
    shown: []
    query: join([lastSweep, itsErrors, 'where InnermostMessage has "SilenceError"'], ' | ')
  }
  {
    name: 'a-gap-was-recorded'
    description: 'Events of a topic can no longer be retrieved. See delete_tracker_gaps.'
    severity: 1
    every: 'PT30M'
    window: 'PT1H'
    shown: []
    query: join(
      [
        'AppTraces'
        'where AppRoleName =~ "${collectorApp}" and Message matches regex @"\\bgaps=[1-9]"'
      ],
      ' | '
    )
  }
  {
    name: 'events-were-rejected'
    description: 'Events could not be decoded. Their bytes are in delete_tracker_rejects.'
    severity: 2
    every: 'PT30M'
    window: 'PT1H'
    shown: []
    query: join(
      [
        'AppTraces'
        'where AppRoleName =~ "${collectorApp}" and Message matches regex @"\\brejected=[1-9]"'
      ],
      ' | '
    )
  }
  {
    name: 'a-cursor-grows-old'
    description: 'A topic\'s cursor is older than 48 hours. At 72 hours its events are lost.'
    severity: 0
    every: 'PT30M'
    window: 'PT2H'
    shown: []
    query: join(
      [
        'AppTraces'
        'where AppRoleName =~ "${collectorApp}" and Message contains "cursor_age="'
      ],
      ' | '
    )
  }
  {
    name: 'the-allocation-runs-out'
    description: 'Less than a tenth of the org\'s deliveries is left, or a limit is reached.'
    severity: 1
    every: 'PT30M'
    window: 'PT1H'
    shown: []
    query: join(
      [
        'AppTraces'
        'where AppRoleName =~ "${collectorApp}"'
        'where Message matches regex @"\\b(allocation=low|error=LimitExceededError)\\b"'
      ],
      ' | '
    )
  }
  {
    name: 'a-day-is-unproven'
    description: 'Deletes of a day may be missing. After 15 days nobody can find out.'
    severity: 2
    every: 'PT6H'
    window: 'P1D'
    shown: []
    query: join(
      [
        'AppTraces'
        'where AppRoleName in~ ("${collectorApp}", "${syncApp}")'
        'where Message matches regex @"\\b(unproven object=|objects=unknown)"'
      ],
      ' | '
    )
  }
]

resource people 'Microsoft.Insights/actionGroups@2023-01-01' = {
  name: '${prefix}-alerts'
  location: 'global'
  properties: {
    enabled: true
    groupShortName: take(prefix, 12)
    emailReceivers: [{ name: 'operator', emailAddress: email, useCommonAlertSchema: true }]
  }
}

// Azure does not validate the queries, because the tables exist only after the first telemetry.
resource rules 'Microsoft.Insights/scheduledQueryRules@2026-03-01' = [
  for alert in alerts: {
    name: '${prefix}-${alert.name}'
    location: location
    kind: 'LogAlert'
    properties: {
      displayName: '${prefix}: ${replace(alert.name, '-', ' ')}'
      description: '${alert.description} docs/operations.md says what to do.'
      severity: alert.severity
      enabled: alertsOn
      scopes: [workspaceId]
      evaluationFrequency: alert.every
      windowSize: alert.window
      criteria: {
        allOf: [
          {
            query: alert.query
            // A mail has the values of the dimensions. Each value has an alert of its own.
            dimensions: map(alert.shown, name => { name: name, operator: 'Include', values: ['*'] })
            timeAggregation: 'Count'
            operator: 'GreaterThan'
            threshold: 0
            failingPeriods: { numberOfEvaluationPeriods: 1, minFailingPeriodsToAlert: 1 }
          }
        ]
      }
      autoMitigate: true
      skipQueryValidation: true
      actions: { actionGroups: [people.id] }
    }
  }
]
